"""Black Forest Labs' models."""

from gateway.catalog import fal
from gateway.catalog.build import (
    DEFAULT_MAX_N,
    DEFAULT_PROMPT_LIMIT,
    ONE_MEGAPIXEL_SIZES,
    under_ids,
)
from gateway.catalog.costs import flat
from gateway.catalog.sizes import Grid, ListedSizes, size
from gateway.catalog.types import Family, Model, Route

FACTS = "bfl.ai pricing, read 2026-11-21"
GRID = Grid(multiple=32, min_edge=256, max_edge=1440, max_pixels=1440 * 1440, encode="width_height")


def models() -> list[Model]:
    """Return FLUX 1.1 [pro] under both ids, and FLUX.1 [dev]."""
    return [*_flux_pro(), _flux_dev()]


def _route(upstream: str, usd: str) -> Route:
    return Route(
        provider="bfl",
        upstream_model=upstream,
        sizing=GRID,
        image_cost=flat(usd),
        cost_source=FACTS,
        takes=frozenset({"seed", "output_format"}),
        output_formats=("png", "jpeg"),
        native_format="jpeg",
    )


def _flux_pro() -> list[Model]:
    own, by_fal = _route("flux-pro-1.1", "0.04"), fal.flux_pro()
    model = Model(
        id="flux-1.1-pro",
        key="flux-1.1-pro",
        name="Flux 1.1 Pro",
        owned_by="Black Forest Labs",
        notes="Best open-weight",
        features=("Photorealistic",),
        family=Family.OTHER,
        sizes=ONE_MEGAPIXEL_SIZES,
        default_size=size("1024x1024"),
        max_n=DEFAULT_MAX_N,
        prompt_limit=DEFAULT_PROMPT_LIMIT,
        p50_s=7,
        p95_s=25,
        routes=(by_fal, own),
        takes=frozenset({"seed"}),
    )
    return under_ids(model, namespaced="fal/flux-1.1-pro", bare_routes=(own, by_fal))


def _flux_dev() -> Model:
    return Model(
        id="flux-dev",
        key="flux-dev",
        name="Flux Dev",
        owned_by="Black Forest Labs",
        notes="Fast and cheap",
        features=("Fast",),
        family=Family.OTHER,
        sizes=ListedSizes.of("1024x1024", "1024x768"),
        default_size=size("1024x1024"),
        max_n=DEFAULT_MAX_N,
        prompt_limit=DEFAULT_PROMPT_LIMIT,
        p50_s=5,
        p95_s=18,
        routes=(_route("flux-dev", "0.025"), fal.flux_dev()),
        takes=frozenset({"seed"}),
    )
