"""Black Forest Labs' models."""

from decimal import Decimal
from functools import partial

from gateway.catalog import fal
from gateway.catalog.build import (
    ONE_MEGAPIXEL_SIZES,
    ordinary_model,
    under_ids,
)
from gateway.catalog.costs import InCredits
from gateway.catalog.sizes import Grid, ListedSizes, Sizing, ratios
from gateway.catalog.types import Editing, Model, Route

FACTS = "bfl.ai pricing, read 2026-11-21"
GRID = Grid(multiple=32, min_edge=256, max_edge=1440, max_pixels=1440 * 1440, encode="width_height")
# The longest edge is not documented; 2048 is that of the largest square.
GRID_2 = Grid(
    multiple=16, min_edge=256, max_edge=2048, max_pixels=2048 * 2048, encode="width_height"
)
ULTRA_SIZES = ListedSizes.of(
    "1024x1024",
    "1024x768",
    "768x1024",
    "1344x768",
    "768x1344",
    "2048x2048",
    "2048x1536",
    "1536x2048",
    "2304x1536",
    "1536x2304",
    "2560x1440",
    "1440x2560",
    "3136x1344",
    "1344x3136",
)
# Priced by the megapixel begun: all up to one, then two and four in full.
FLUX_2_SIZES = ListedSizes(
    (*ONE_MEGAPIXEL_SIZES.listed, *ListedSizes.of("1536x1024", "1024x1536", "2048x2048").listed)
)
KONTEXT_SIZES = ListedSizes.of(
    *fal.KONTEXT_PIXELS.values(), "1024x768", "768x1024", "1024x576", "576x1024", "512x512"
)
# Of one image sent along (docs.bfl.ai, read 2026-11-21).
INPUT_BYTES = 20_000_000
KONTEXT_INPUT_PIXELS = 20_000_000
# FLUX.2 bills each megapixel of an image sent along as a further one of the result's. It takes
# more, but the price of an image sent along holds for this many.
INPUT_MEGAPIXELS = 4
INPUT_PIXELS = INPUT_MEGAPIXELS * 1024 * 1024


def models() -> list[Model]:
    """Return FLUX 1.1 [pro] and its ultra mode, FLUX.1 [dev], Kontext, and the FLUX.2 family."""
    return [*_flux_pro(), *_flux_ultra(), _flux_dev(), *_flux_kontext(), *_flux_2()]


def _route(
    upstream: str,
    usd: str,
    *,
    further: str = "0",
    sizing: Sizing = GRID,
    editing: Editing | None = None,
) -> Route:
    return Route(
        provider="bfl",
        upstream_model=upstream,
        sizing=sizing,
        image_cost=InCredits(Decimal(usd), Decimal(further)),
        cost_source=FACTS,
        takes=frozenset({"seed", "output_format", "moderation"}),
        output_formats=("png", "jpeg"),
        native_format="jpeg",
        editing=editing,
    )


_model = partial(ordinary_model, owned_by="Black Forest Labs", takes=("seed", "moderation"))


def _flux_pro() -> list[Model]:
    own, by_fal = _route("flux-pro-1.1", "0.04"), fal.flux_pro()
    model = _model(
        "flux-1.1-pro",
        "Flux 1.1 Pro",
        (by_fal, own),
        notes="Best open-weight",
        features=("Photorealistic",),
        latency_s=(7, 25),
    )
    return under_ids(model, namespaced="fal/flux-1.1-pro", bare_routes=(own, by_fal))


def _flux_ultra() -> list[Model]:
    sizing = ratios("aspect_ratio", fal.ULTRA_SIZES)
    own, by_fal = _route("flux-pro-1.1-ultra", "0.06", sizing=sizing), fal.flux_ultra()
    model = _model(
        "flux-1.1-pro-ultra",
        "Flux 1.1 Pro Ultra",
        (by_fal, own),
        notes="Flux 4K",
        features=("Photorealistic",),
        latency_s=(12, 40),
        sizes=ULTRA_SIZES,
    )
    return under_ids(model, namespaced="fal/flux-1.1-pro-ultra", bare_routes=(own, by_fal))


def _flux_dev() -> Model:
    return _model(
        "flux-dev",
        "Flux Dev",
        (_route("flux-dev", "0.025"), fal.flux_dev()),
        notes="Fast and cheap",
        features=("Fast",),
        latency_s=(5, 18),
        sizes=ListedSizes.of("1024x1024", "1024x768"),
    )


def _flux_kontext() -> list[Model]:
    return [
        *_one_of_kontext("flux-kontext-pro", "Flux Kontext Pro", "0.04", "Edits images", (8, 25)),
        *_one_of_kontext(
            "flux-kontext-max", "Flux Kontext Max", "0.08", "Edits images, best with text", (10, 35)
        ),
    ]


def _one_of_kontext(
    name: str, title: str, usd: str, notes: str, latency_s: tuple[int, int]
) -> list[Model]:
    """Return one under both ids; what is sent along costs nothing."""
    editing = Editing(
        max_inputs=4,
        input_cost=Decimal(0),
        max_bytes=INPUT_BYTES,
        max_pixels=KONTEXT_INPUT_PIXELS,
    )
    own = _route(name, usd, sizing=fal.KONTEXT_SIZING, editing=editing)
    model = _model(
        name,
        title,
        (own, fal.flux_kontext(name, usd)),
        notes=notes,
        features=("Editing",),
        latency_s=latency_s,
        sizes=KONTEXT_SIZES,
    )
    return under_ids(model, namespaced=f"bfl/{name}")


def _flux_2() -> list[Model]:
    return [
        *_one_of_flux_2("flux-2-pro", "Flux 2 Pro", ("0.03", "0.015"), "For production", (8, 25)),
        *_one_of_flux_2("flux-2-max", "Flux 2 Max", ("0.07", "0.03"), "Highest quality", (12, 40)),
        *_one_of_flux_2(
            "flux-2-flex", "Flux 2 Flex", ("0.05", "0.05"), "Best Flux for typography", (15, 45)
        ),
        *_one_of_flux_2(
            "flux-2-klein-4b", "Flux 2 Klein 4B", ("0.014", "0.001"), "Fastest Flux 2", (2, 10)
        ),
        *_one_of_flux_2(
            "flux-2-klein-9b", "Flux 2 Klein 9B", ("0.015", "0.002"), "Fast Flux 2", (3, 12)
        ),
    ]


def _one_of_flux_2(
    name: str, title: str, usd: tuple[str, str], notes: str, latency_s: tuple[int, int]
) -> list[Model]:
    """Return one under both ids; `usd` is for the first and each further megapixel."""
    editing = Editing(
        max_inputs=4 if "klein" in name else 8,
        input_cost=INPUT_MEGAPIXELS * Decimal(usd[1]),
        max_bytes=INPUT_BYTES,
        max_pixels=INPUT_PIXELS,
    )
    model = _model(
        name,
        title,
        (_route(name, usd[0], further=usd[1], sizing=GRID_2, editing=editing),),
        notes=notes,
        features=("Fast",) if "klein" in name else ("Photorealistic", "Text-in-Image"),
        latency_s=latency_s,
        sizes=FLUX_2_SIZES,
    )
    return under_ids(model, namespaced=f"bfl/{name}")
