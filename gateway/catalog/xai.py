"""xAI's models."""

from datetime import date

from gateway.catalog.build import DEFAULT_MAX_N, DEFAULT_PROMPT_LIMIT, under_ids
from gateway.catalog.costs import flat
from gateway.catalog.sizes import Ask, ListedSizes, Menu, ratios, size
from gateway.catalog.types import Family, Model, Route

FACTS = "xAI pricing, read 2026-11-21"
# xAI names no day: this is the one on which its documentation was read without the model.
GROK_2_SUPERSEDED = date(2026, 11, 21)
ONLY_SIZE = "1024x768"


def models() -> list[Model]:
    """Return Grok 2 Image under both ids."""
    grok_2 = Route(
        provider="xai",
        upstream_model="grok-2-image",
        sizing=Menu((Ask(size(ONLY_SIZE), {}),)),
        image_cost=flat("0.07"),
        cost_source=FACTS,
        takes=frozenset({"user"}),
        max_n_per_call=10,
        native_format="jpeg",
        retires_on=GROK_2_SUPERSEDED,
        revised_prompt=True,
    )
    imagine = Route(
        provider="xai",
        upstream_model="grok-imagine-image",
        sizing=ratios("aspect_ratio", {"4:3": "1280x896"}, resolution="1k"),
        image_cost=flat("0.02"),
        cost_source=FACTS,
        takes=frozenset({"user"}),
        max_n_per_call=10,
        native_format="jpeg",
        substitute=True,
    )
    model = Model(
        id="grok-2-image",
        key="grok-2-image",
        name="Grok 2 Image",
        owned_by="xAI",
        notes="Photorealistic style",
        features=("Photorealistic",),
        family=Family.OTHER,
        sizes=ListedSizes.of(ONLY_SIZE),
        default_size=size(ONLY_SIZE),
        max_n=DEFAULT_MAX_N,
        prompt_limit=DEFAULT_PROMPT_LIMIT,
        p50_s=10,
        p95_s=30,
        routes=(grok_2, imagine),
        takes=frozenset({"user"}),
        retires_on=GROK_2_SUPERSEDED,
    )
    return under_ids(model, namespaced="xai/grok-2-image")
