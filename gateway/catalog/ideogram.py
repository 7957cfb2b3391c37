"""Ideogram's models."""

from collections.abc import Mapping

from gateway.catalog import fal
from gateway.catalog.build import DEFAULT_MAX_N, DEFAULT_PROMPT_LIMIT, under_ids
from gateway.catalog.costs import flat
from gateway.catalog.sizes import Ask, ListedSizes, Menu, ratios, size
from gateway.catalog.types import Family, Model, Route

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
RESOLUTIONS = (
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


def models() -> list[Model]:
    """Return Ideogram 2 under both ids."""
    own = Route(
        provider="ideogram",
        upstream_model="V_2",
        sizing=Menu(
            tuple(
                Ask(size(text), {"resolution": f"RESOLUTION_{text.replace('x', '_')}"})
                for text in RESOLUTIONS
            )
        ),
        image_cost=flat("0.08"),
        cost_source=FACTS,
        takes=frozenset({"seed"}),
        max_n_per_call=8,
    )
    by_fal = fal.route(
        "fal-ai/ideogram/v2",
        flat("0.08"),
        sizing=ratios("aspect_ratio", RATIOS),
        formats=(),
        native_format="png",
    )
    model = Model(
        id="ideogram-v2",
        key="ideogram-v2",
        name="Ideogram V2",
        owned_by="Ideogram",
        notes="Professional typography",
        features=("Text-in-Image",),
        family=Family.OTHER,
        sizes=ListedSizes.of(*RESOLUTIONS, "1024x576", "576x1024"),
        default_size=size("1024x1024"),
        max_n=DEFAULT_MAX_N,
        prompt_limit=DEFAULT_PROMPT_LIMIT,
        p50_s=12,
        p95_s=35,
        routes=(by_fal, own),
        takes=frozenset({"seed"}),
    )
    return under_ids(model, namespaced="fal/ideogram-v2", bare_routes=(own, by_fal))
