"""Stability AI's models."""

from gateway.catalog import fal
from gateway.catalog.build import DEFAULT_MAX_N, DEFAULT_PROMPT_LIMIT
from gateway.catalog.costs import flat
from gateway.catalog.sizes import Ask, ListedSizes, Menu, encode_size, size
from gateway.catalog.types import Family, Model, Route

FACTS = "platform.stability.ai pricing, read 2026-11-21"
SDXL_SIZES = (
    "1024x1024",
    "1152x896",
    "896x1152",
    "1216x832",
    "832x1216",
    "1344x768",
    "768x1344",
    "1536x640",
    "640x1536",
)


def models() -> list[Model]:
    """Return Stable Diffusion XL."""
    own = Route(
        provider="stability",
        upstream_model="stable-diffusion-xl-1024-v1-0",
        sizing=Menu(
            tuple(Ask(size(text), encode_size(size(text), "width_height")) for text in SDXL_SIZES)
        ),
        # 0.2 to 0.9 credits by steps; the most.
        image_cost=flat("0.009"),
        cost_source=FACTS,
        takes=frozenset({"seed"}),
        max_n_per_call=8,
        prompt_limit=2_000,
    )
    return [
        Model(
            id="stable-diffusion-xl",
            key="stable-diffusion-xl",
            name="Stable Diffusion XL",
            owned_by="Stability AI",
            notes="Several variations at once",
            features=("Multi-image",),
            family=Family.OTHER,
            sizes=ListedSizes.of(*SDXL_SIZES[:3]),
            default_size=size("1024x1024"),
            max_n=DEFAULT_MAX_N,
            prompt_limit=DEFAULT_PROMPT_LIMIT,
            p50_s=5,
            p95_s=18,
            routes=(own, fal.sdxl()),
            takes=frozenset({"seed"}),
        )
    ]
