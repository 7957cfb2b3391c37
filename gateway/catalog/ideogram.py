"""Ideogram's models."""

from collections.abc import Mapping
from dataclasses import replace
from decimal import Decimal

from gateway.catalog import fal
from gateway.catalog.build import (
    ordinary_model,
    under_ids,
)
from gateway.catalog.costs import ImageCost, by_quality, flat
from gateway.catalog.sizes import Ask, ListedSizes, Menu, ratios, size
from gateway.catalog.types import Editing, Model, Route

FACTS = "ideogram.ai API pricing, read 2026-11-21"
RATIOS: Mapping[str, str] = {
    "1:1": "1024x1024",
    "16:9": "1280x720",
    "9:16": "720x1280",
    "4:3": "1152x864",
    "3:4": "864x1152",
    "3:2": "1248x832",
    "2:3": "832x1248",
    "16:10": "1280x800",
    "10:16": "800x1280",
    "3:1": "1536x512",
    "1:3": "512x1536",
}
# Resolutions of V_2 that are also inside one of fal's ratios.
V2_RESOLUTIONS = (
    "1024x1024",
    "1024x768",
    "768x1024",
    "1152x864",
    "864x1152",
    "1280x720",
    "720x1280",
    "1248x832",
    "832x1248",
)
V2_SIZES = ListedSizes.of(*V2_RESOLUTIONS, "1024x576", "576x1024")
# Resolutions of Ideogram 3: one of each of its aspect ratios, and the usual ones beside them.
V3_RESOLUTIONS = (
    "1024x1024",
    "1312x736",
    "736x1312",
    "1152x864",
    "864x1152",
    "1248x832",
    "832x1248",
    "1280x800",
    "800x1280",
    "1120x896",
    "896x1120",
    "1408x704",
    "704x1408",
    "1536x512",
    "512x1536",
    "1152x896",
    "896x1152",
    "1216x832",
    "832x1216",
    "1344x768",
    "768x1344",
)
V3_SIZES = ListedSizes.of(
    *V3_RESOLUTIONS, "1024x768", "768x1024", "1280x720", "720x1280", "1024x576", "576x1024"
)
V3_USD: Mapping[str, str] = {"TURBO": "0.03", "DEFAULT": "0.06", "QUALITY": "0.09"}
V3_USD_AT_FAL: Mapping[str, str] = {"TURBO": "0.03", "BALANCED": "0.06", "QUALITY": "0.09"}
# A remix costs what an image does. 25 MB is the limit of the whole call.
REMIX = Editing(
    max_inputs=1,
    input_cost=Decimal(0),
    takes=frozenset({"input_fidelity"}),
    max_bytes=24_000_000,
)


def models() -> list[Model]:
    """Return Ideogram 2 and 3 under both ids, and Ideogram 2 Turbo, which only Ideogram has."""
    return [*_v2(), *_v2_turbo(), *_v3()]


def _v2() -> list[Model]:
    own = _v2_route("V_2", "0.08")
    by_fal = fal.route(
        "fal-ai/ideogram/v2",
        flat("0.08"),
        sizing=ratios("aspect_ratio", RATIOS),
        formats=(),
        native_format="png",
    )
    model = _model("ideogram-v2", "Ideogram V2", (by_fal, own), latency_s=(12, 35), sizes=V2_SIZES)
    return under_ids(model, namespaced="fal/ideogram-v2", bare_routes=(own, by_fal))


def _v2_turbo() -> list[Model]:
    own = _v2_route("V_2_TURBO", "0.05")
    model = _model(
        "ideogram-v2-turbo", "Ideogram V2 Turbo", (own,), latency_s=(7, 20), sizes=V2_SIZES
    )
    return under_ids(model, namespaced="ideogram/ideogram-v2-turbo")


def _v3() -> list[Model]:
    own = replace(
        _own(
            "ideogram-v3",
            by_quality(V3_USD),
            Menu(tuple(Ask(size(text), {"resolution": text}) for text in V3_RESOLUTIONS)),
            qualities=_levels(V3_USD),
        ),
        editing=REMIX,
    )
    by_fal = replace(
        fal.route(
            "fal-ai/ideogram/v3",
            by_quality(V3_USD_AT_FAL),
            per_call=8,
            formats=(),
            native_format="png",
        ),
        qualities=_levels(V3_USD_AT_FAL),
    )
    model = _model(
        "ideogram-v3",
        "Ideogram V3",
        (by_fal, own),
        latency_s=(12, 40),
        sizes=V3_SIZES,
        qualities=("low", "medium", "high"),
    )
    return under_ids(model, namespaced="fal/ideogram-v3", bare_routes=(own, by_fal))


def _levels(speeds: Mapping[str, str]) -> dict[str, str]:
    """Name the rendering speeds, the fastest first, by our qualities."""
    return dict(zip(("low", "medium", "high"), speeds, strict=True))


def _v2_route(upstream: str, usd: str) -> Route:
    resolutions = {text: f"RESOLUTION_{text.replace('x', '_')}" for text in V2_RESOLUTIONS}
    sizing = Menu(
        tuple(Ask(size(text), {"resolution": name}) for text, name in resolutions.items())
    )
    return _own(upstream, flat(usd), sizing)


def _own(
    upstream: str, cost: ImageCost, sizing: Menu, *, qualities: Mapping[str, str] | None = None
) -> Route:
    """Return a route by Ideogram's own API, which draws up to 8 images a call."""
    return Route(
        provider="ideogram",
        upstream_model=upstream,
        sizing=sizing,
        image_cost=cost,
        cost_source=FACTS,
        takes=frozenset({"seed"}),
        qualities=qualities or {},
        max_n_per_call=8,
        # "Magic prompt" rewrites short prompts, and the answer says how.
        revised_prompt=True,
    )


def _model(
    name: str,
    title: str,
    routes: tuple[Route, ...],
    *,
    latency_s: tuple[int, int],
    sizes: ListedSizes,
    qualities: tuple[str, ...] = (),
) -> Model:
    model = ordinary_model(
        name,
        title,
        routes,
        owned_by="Ideogram",
        notes="Professional typography",
        features=("Text-in-Image",),
        latency_s=latency_s,
        sizes=sizes,
        takes=("seed",),
    )
    if not qualities:
        return model
    return replace(
        model,
        qualities=qualities,
        default_quality="medium",
        quality_aliases={"standard": "medium", "hd": "high"},
    )
