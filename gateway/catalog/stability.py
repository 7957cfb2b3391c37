"""Stability AI's models."""

from collections.abc import Mapping
from dataclasses import replace
from decimal import Decimal
from functools import partial

from gateway.catalog import fal
from gateway.catalog.build import (
    ONE_MEGAPIXEL_SIZES,
    ordinary_model,
    under_ids,
)
from gateway.catalog.costs import flat
from gateway.catalog.sizes import Ask, ListedSizes, Menu, encode_size, ratios, size
from gateway.catalog.types import Editing, Model, Route

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
# The reference tells the ratios, not the pixels: these are the sizes Stable Diffusion 3 draws. Core
# draws larger ones, which are scaled down.
PIXELS: Mapping[str, str] = {
    "1:1": "1024x1024",
    "16:9": "1344x768",
    "9:16": "768x1344",
    "3:2": "1216x832",
    "2:3": "832x1216",
    "5:4": "1088x896",
    "4:5": "896x1088",
    "21:9": "1536x640",
    "9:21": "640x1536",
}
SIZES = ListedSizes.of(*PIXELS.values(), "1024x768", "768x1024", "1024x576", "576x1024", "512x512")
# An image made of another costs what any does. The limit is that of a call, 10 MiB; the pixels are
# one megapixel, in the shape of the image (platform.stability.ai's reference, read 2026-11-21).
IMAGE_TO_IMAGE = Editing(
    max_inputs=1,
    input_cost=Decimal(0),
    takes=frozenset({"input_fidelity"}),
    max_bytes=10_000_000,
    keeps_shape=True,
)


def models() -> list[Model]:
    """Return Stable Diffusion XL, the Stable Image services and Stable Diffusion 3.5."""
    return [_sdxl(), *_stable_image(), *_diffusion_large(), *_diffusion_smaller()]


_model = partial(ordinary_model, owned_by="Stability AI", sizes=SIZES, takes=("seed",))


def _route(upstream: str, usd: str, *, formats: tuple[str, ...] = ("png", "jpeg")) -> Route:
    return Route(
        provider="stability",
        upstream_model=upstream,
        sizing=ratios("aspect_ratio", PIXELS),
        image_cost=flat(usd),
        cost_source=FACTS,
        takes=frozenset({"seed", "output_format", "user"}),
        output_formats=formats,
        editing=None if upstream == "core" else IMAGE_TO_IMAGE,
    )


def _sdxl() -> Model:
    own = Route(
        provider="stability",
        upstream_model="stable-diffusion-xl-1024-v1-0",
        sizing=Menu(
            tuple(Ask(size(text), encode_size(size(text), "width_height")) for text in SDXL_SIZES)
        ),
        # 0.2 to 0.9 credits by steps; the most.
        image_cost=flat("0.009"),
        cost_source=FACTS,
        takes=frozenset({"seed", "user"}),
        max_n_per_call=8,
        prompt_limit=2_000,
    )
    return _model(
        "stable-diffusion-xl",
        "Stable Diffusion XL",
        (own, fal.sdxl()),
        notes="Several variations at once",
        features=("Multi-image",),
        latency_s=(5, 18),
        sizes=ListedSizes.of(*SDXL_SIZES[:3]),
    )


def _stable_image() -> list[Model]:
    formats = ("png", "webp", "jpeg")
    core = _model(
        "stable-image-core",
        "Stable Image Core",
        (_route("core", "0.03", formats=formats),),
        notes="Fast and cheap",
        features=("Fast",),
        latency_s=(5, 15),
    )
    ultra = _model(
        "stable-image-ultra",
        "Stable Image Ultra",
        (_route("ultra", "0.08", formats=formats),),
        notes="Stability AI's best",
        features=("Photorealistic", "Text-in-Image"),
        latency_s=(10, 30),
    )
    return [
        *under_ids(core, namespaced="stability/stable-image-core"),
        *under_ids(ultra, namespaced="stability/stable-image-ultra"),
    ]


def _diffusion_large() -> list[Model]:
    """Return the one that fal sells too: exact sizes there, the nearest ratio here."""
    own = replace(
        _route("sd3.5-large", "0.065"), leaves=ListedSizes.of("1152x896", "896x1152").listed
    )
    by_fal = fal.stable_diffusion()
    model = _model(
        "sd-3.5-large",
        "Stable Diffusion 3.5 Large",
        (by_fal, own),
        notes="Stable Diffusion 3.5",
        features=("Multi-image",),
        latency_s=(10, 30),
        sizes=ONE_MEGAPIXEL_SIZES,
    )
    own_first = replace(model, id="stability/sd-3.5-large", routes=(own, by_fal))
    return [own_first, *under_ids(model, namespaced="fal/sd-3.5-large")]


def _diffusion_smaller() -> list[Model]:
    turbo = _model(
        "sd-3.5-large-turbo",
        "Stable Diffusion 3.5 Large Turbo",
        (_route("sd3.5-large-turbo", "0.04"),),
        notes="Faster Stable Diffusion 3.5",
        features=("Fast",),
        latency_s=(4, 12),
    )
    medium = _model(
        "sd-3.5-medium",
        "Stable Diffusion 3.5 Medium",
        (_route("sd3.5-medium", "0.035"),),
        notes="Cheaper Stable Diffusion 3.5",
        features=("Fast",),
        latency_s=(6, 20),
    )
    return [
        *under_ids(turbo, namespaced="stability/sd-3.5-large-turbo"),
        *under_ids(medium, namespaced="stability/sd-3.5-medium"),
    ]
