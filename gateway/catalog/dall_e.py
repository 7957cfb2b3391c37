"""OpenAI's DALL·E models."""

from decimal import Decimal

from gateway.catalog.build import DEFAULT_PROMPT_LIMIT, under_ids
from gateway.catalog.costs import PerImage
from gateway.catalog.openai import (
    DALL_E_RETIRED,
    FACTS,
    FLARE,
    SQUARE,
    azure_route,
    flare_route,
    same,
)
from gateway.catalog.sizes import ListedSizes, Size, named_sizes, size
from gateway.catalog.types import AllowedLoss, Editing, Family, Model, Route

DALL_E_3_SIZES = (SQUARE, "1792x1024", "1024x1792")
DALL_E_2_SIZES = ("256x256", "512x512", SQUARE)
# One square PNG of less than 4 MB; the images made are priced alike, whatever was sent along.
EDITING_2 = Editing(
    max_inputs=1,
    input_cost=Decimal(0),
    takes=frozenset({"mask"}),
    formats=("png",),
    max_bytes=4_000_000,
    square=True,
    variation=True,
)


def _dall_e_3() -> list[Model]:
    prices: dict[tuple[Size | None, str | None], Decimal] = {
        (size(SQUARE), "standard"): Decimal(".04"),
        (None, "standard"): Decimal(".08"),
        (size(SQUARE), "hd"): Decimal(".08"),
        (None, "hd"): Decimal(".12"),
    }
    own = Route(
        provider="openai",
        upstream_model="dall-e-3",
        sizing=named_sizes(*DALL_E_3_SIZES),
        image_cost=PerImage(prices),
        cost_source=FACTS,
        takes=frozenset({"style", "user"}),
        qualities=same(("standard", "hd")),
        retires_on=DALL_E_RETIRED,
        revised_prompt=True,
    )
    azure = azure_route(
        own,
        image_cost=PerImage({cell: usd * Decimal("1.1") for cell, usd in prices.items()}),
        allowed_losses=(
            AllowedLoss(
                "Azure charges a tenth more than OpenAI did; it is the second choice only",
                up_to=Decimal("0.006"),
            ),
        ),
    )
    flare = flare_route({"standard": "medium", "hd": "high"}, losses=(), edits=False)
    model = Model(
        id="dall-e-3",
        key="dall-e-3",
        name="DALL·E 3",
        owned_by="OpenAI",
        notes="Classic",
        features=("HD", "Prompt Revision"),
        family=Family.DALL_E,
        sizes=ListedSizes.of(*DALL_E_3_SIZES),
        default_size=size(SQUARE),
        max_n=1,
        prompt_limit=DEFAULT_PROMPT_LIMIT,
        p50_s=8,
        p95_s=20,
        routes=(own, azure, flare),
        qualities=("standard", "hd"),
        default_quality="standard",
        quality_aliases={"high": "hd", "low": "standard", "medium": "standard"},
        takes=frozenset({"style", "user"}),
        retires_on=DALL_E_RETIRED,
        successor=FLARE,
    )
    return under_ids(model, namespaced="openai/dall-e-3")


def _dall_e_2() -> list[Model]:
    cells: dict[tuple[Size | None, str | None], Decimal] = {}
    for text, usd in zip(DALL_E_2_SIZES, (".016", ".018", ".02"), strict=True):
        cells[(size(text), None)] = Decimal(usd)
    own = Route(
        provider="openai",
        upstream_model="dall-e-2",
        sizing=named_sizes(*DALL_E_2_SIZES),
        image_cost=PerImage(cells),
        cost_source=FACTS,
        takes=frozenset({"user"}),
        qualities=same(("standard",)),
        max_n_per_call=10,
        retires_on=DALL_E_RETIRED,
        editing=EDITING_2,
    )
    model = Model(
        id="dall-e-2",
        key="dall-e-2",
        name="DALL·E 2",
        owned_by="OpenAI",
        notes="Small sizes, several images at once",
        features=("Multi-image",),
        family=Family.DALL_E,
        sizes=ListedSizes.of(*DALL_E_2_SIZES),
        default_size=size(SQUARE),
        max_n=10,
        prompt_limit=1_000,
        p50_s=8,
        p95_s=20,
        # Small sizes are drawn at the smallest standard size and scaled down.
        routes=(own, flare_route({"standard": "low"}, losses=(), sizing=named_sizes(SQUARE))),
        qualities=("standard",),
        default_quality="standard",
        takes=frozenset({"user"}),
        retires_on=DALL_E_RETIRED,
        successor=FLARE,
    )
    return under_ids(model, namespaced="openai/dall-e-2")


def models() -> list[Model]:
    """Return the DALL·E models under both ids."""
    return [*_dall_e_3(), *_dall_e_2()]
