"""The models page says what the catalog says."""

from pathlib import Path

import pytest

from gateway.catalog.prices import list_prices
from gateway.catalog.registry import catalog

DASH = "\N{EN DASH}"
PAGE = (Path(__file__).parents[3] / "docs" / "models.md").read_text()


@pytest.mark.parametrize("model_id", [model.id for model in catalog().models()])
def test_page_names_every_model_and_its_routes(model_id):
    model = catalog().find(model_id)
    assert model is not None
    routes = ", ".join(f"`{route.served_by}`" for route in model.routes)
    assert f"| `{model_id}` | {routes} |" in PAGE


@pytest.mark.parametrize("key", sorted({model.key for model in catalog().models()}))
def test_page_says_what_every_model_takes(key):
    models = [model for model in catalog().models() if model.key == key]
    ids = " ".join(f"`{model.id}`" for model in models)
    model = models[0]
    default_first = sorted(model.sizes.listed, key=lambda size: size != model.default_size)
    sizes = ", ".join(map(str, default_first))
    if not model.sizes.closed:
        sizes = f"{model.default_size}, or [free](#free-sizes)"
    qualities = ", ".join(
        f"**{quality}**" if quality == model.default_quality else quality
        for quality in model.qualities
    )
    n = f"1{DASH}{model.max_n}" if model.max_n > 1 else "1"
    assert (
        f"| {ids} | {model.owned_by} | {sizes} | {qualities or DASH} | {n} |"
        f" {model.prompt_limit:,} | {model.p50_s} s / {model.p95_s} s |"
    ) in PAGE


@pytest.mark.parametrize(
    "row", list_prices(), ids=lambda row: f"{row.key} {row.size} {row.quality}"
)
def test_page_has_every_list_price(row):
    price = f"{row.amount.normalize():f}"
    if row.unit == "megapixel":
        price = f"the 1024x1024 price + {price} per further megapixel"
    size = row.size or ("any" if row.unit == "image" else "free")
    assert f"| `{row.key}` | {size} | {row.quality or 'any'} | {price} |" in PAGE


@pytest.mark.parametrize("key", sorted({one.key for one in catalog().models() if one.max_inputs}))
def test_page_says_what_can_be_sent_along(key):
    model = next(one for one in catalog().models() if one.key == key)
    (usd,) = {row.input_amount for row in list_prices() if row.key == key}
    mask = "yes" if model.edits_with("mask") else DASH

    assert f"| `{key}` | {model.max_inputs} | {mask} | {usd.normalize():f} |" in PAGE
