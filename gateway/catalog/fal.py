"""fal's routes, and the models that are sold in fal's name."""

from collections.abc import Mapping
from dataclasses import replace
from decimal import Decimal

from gateway.catalog.build import (
    ONE_MEGAPIXEL_SIZES,
    ordinary_model,
    under_ids,
)
from gateway.catalog.costs import ImageCost, PerMegapixel, flat
from gateway.catalog.sizes import Grid, ListedSizes, Sizing, ratios
from gateway.catalog.types import Editing, Model, Route

FACTS = "fal.ai model pages and pricing, read 2026-11-21"

# Any pixels, in fal's `image_size` object; kept to one megapixel, which fal bills as one.
ANY_SIZE = Grid(
    multiple=32,
    min_edge=256,
    max_edge=1536,
    max_pixels=1024 * 1024,
    encode="image_size",
)
# About four megapixels, whatever the ratio.
ULTRA_SIZES: Mapping[str, str] = {
    "1:1": "2048x2048",
    "16:9": "2752x1536",
    "9:16": "1536x2752",
    "4:3": "2368x1792",
    "3:4": "1792x2368",
    "3:2": "2496x1664",
    "2:3": "1664x2496",
    "21:9": "3136x1344",
    "9:21": "1344x3136",
}
# About one megapixel, whatever the ratio; Kontext's own sizes.
KONTEXT_PIXELS: Mapping[str, str] = {
    "1:1": "1024x1024",
    "16:9": "1392x752",
    "9:16": "752x1392",
    "4:3": "1184x880",
    "3:4": "880x1184",
    "3:2": "1248x832",
    "2:3": "832x1248",
    "21:9": "1568x672",
    "9:21": "672x1568",
}
KONTEXT_SIZING = ratios("aspect_ratio", KONTEXT_PIXELS)
KONTEXT_ENDPOINTS: Mapping[str, str] = {
    "flux-kontext-pro": "fal-ai/flux-pro/kontext",
    "flux-kontext-max": "fal-ai/flux-pro/kontext/max",
}
# fal names no limit of its own; this is Black Forest Labs'.
INPUT_BYTES = 20_000_000
INPUT_PIXELS = 20_000_000


def route(
    endpoint: str,
    cost: ImageCost,
    *,
    sizing: Sizing = ANY_SIZE,
    per_call: int = 1,
    seed: bool = True,
    formats: tuple[str, ...] = ("png", "jpeg"),
    native_format: str = "jpeg",
    prompt_limit: int | None = None,
) -> Route:
    """Return a route by one of fal's endpoints."""
    takes = {name for name, taken in (("seed", seed), ("output_format", bool(formats))) if taken}
    return Route(
        provider="fal",
        upstream_model=endpoint,
        sizing=sizing,
        image_cost=cost,
        cost_source=FACTS,
        takes=frozenset(takes),
        max_n_per_call=per_call,
        output_formats=formats,
        native_format=native_format,
        prompt_limit=prompt_limit,
    )


def flux_pro() -> Route:
    """Return FLUX 1.1 [pro] at fal."""
    cost = PerMegapixel(Decimal("0.04"), whole=True)
    return route("fal-ai/flux-pro/v1.1", cost, per_call=4)


def flux_ultra() -> Route:
    """Return FLUX 1.1 [pro] ultra at fal."""
    sizing = ratios("aspect_ratio", ULTRA_SIZES)
    return route("fal-ai/flux-pro/v1.1-ultra", flat("0.06"), sizing=sizing)


def flux_dev() -> Route:
    """Return FLUX.1 [dev] at fal."""
    cost = PerMegapixel(Decimal("0.025"), whole=False)
    return route("fal-ai/flux/dev", cost, per_call=4)


def flux_kontext(name: str, usd: str) -> Route:
    """Return one of the FLUX.1 Kontext models at fal, where these endpoints only edit."""
    editing = Editing(
        max_inputs=1, input_cost=Decimal(0), max_bytes=INPUT_BYTES, max_pixels=INPUT_PIXELS
    )
    by_fal = route(KONTEXT_ENDPOINTS[name], flat(usd), sizing=KONTEXT_SIZING, per_call=4)
    return replace(by_fal, editing=editing, draws=False)


def sdxl() -> Route:
    """Return Stable Diffusion XL at fal, which bills seconds of computing: about this an image."""
    return route("fal-ai/fast-sdxl", flat("0.0025", bills="other"), per_call=4)


def stable_diffusion() -> Route:
    """Return Stable Diffusion 3.5 Large at fal."""
    # Whether fal rounds up is not published; the dearer reading counts.
    cost = PerMegapixel(Decimal("0.065"), whole=True)
    return route("fal-ai/stable-diffusion-v35-large", cost, per_call=4)


def models() -> list[Model]:
    """Return the models that only fal serves, under both ids."""
    return [*_schnell(), *_recraft()]


def _schnell() -> list[Model]:
    return _model(
        "flux-schnell",
        "Flux Schnell",
        "Black Forest Labs",
        route("fal-ai/flux/schnell", PerMegapixel(Decimal("0.003"), whole=True), per_call=4),
        notes="Fastest and cheapest",
        features=("Fast", "Multi-image"),
        latency_s=(2, 8),
    )


def _recraft() -> list[Model]:
    return _model(
        "recraft-v3",
        "Recraft V3",
        "Recraft",
        route(
            "fal-ai/recraft/v3/text-to-image",
            flat("0.04"),
            seed=False,
            formats=(),
            native_format="webp",
            prompt_limit=1_000,
        ),
        notes="Best for typography and brand style",
        features=("Text-in-Image",),
        latency_s=(8, 28),
    )


def _model(
    name: str,
    title: str,
    owned_by: str,
    only_route: Route,
    *,
    notes: str,
    features: tuple[str, ...],
    latency_s: tuple[int, int],
    sizes: ListedSizes = ONE_MEGAPIXEL_SIZES,
) -> list[Model]:
    model = ordinary_model(
        name,
        title,
        (only_route,),
        owned_by=owned_by,
        notes=notes,
        features=features,
        latency_s=latency_s,
        sizes=sizes,
        takes=only_route.takes & {"seed"},
    )
    return under_ids(model, namespaced=f"fal/{name}")
