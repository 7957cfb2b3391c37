"""Edits by the adapters against the sandbox, and what they cost by the catalog."""

import io
from decimal import Decimal

import pytest
from PIL import Image

from gateway.catalog.registry import catalog
from gateway.catalog.types import Route
from gateway.providers import registry
from gateway.types import Operation
from tests.gateway.providers.conftest import MakeCall
from tests.gateway.providers.inputs import picture, sent

RED = (200, 30, 30)
SIDE = (1024, 1024)
PREFIXES = {"openai": "/openai/v1", "azure_openai": "/azure_openai", "xai": "/xai/v1"}


def route_of(model_id: str, provider: str) -> Route:
    model = catalog().find(model_id)
    assert model is not None
    return next(route for route in model.routes if route.provider == provider)


def edit(make_call: MakeCall, sandbox_url: str, route: Route, **fields):
    given = {
        "upstream_model": route.upstream_model,
        "operation": Operation.EDIT,
        "seconds": 20.0,
        "inputs": [sent(picture(SIDE, RED))],
        **fields,
    }
    call = make_call(sandbox_url + PREFIXES[route.provider], **given)
    return registry.adapter_for(route.provider).generate(call)


@pytest.mark.parametrize(
    ("model", "provider"),
    [
        ("gpt-image-1", "openai"),
        ("gpt-image-1", "azure_openai"),
        ("gpt-image-2.5-flare", "openai"),
        ("dall-e-2", "openai"),
    ],
)
def test_masked_edit_keeps_the_rest(make_call: MakeCall, sandbox_url: str, model, provider):
    mask = picture(SIDE, hole=(0, 0, 511, 511))

    result = edit(
        make_call,
        sandbox_url,
        route_of(model, provider),
        mask=sent(mask),
        size_param={"size": "1024x1024"},
    )

    image = Image.open(io.BytesIO(result.images[0].data)).convert("RGB")
    assert image.crop((512, 0, 1024, 1024)).getcolors() == [(512 * 1024, RED)]
    assert image.getpixel((256, 30)) != RED


def test_dall_e_2_varies_an_image(make_call: MakeCall, sandbox_url: str):
    result = edit(
        make_call,
        sandbox_url,
        route_of("dall-e-2", "openai"),
        operation=Operation.VARIATION,
        n=2,
        size_param={"size": "256x256"},
    )

    sizes = [Image.open(io.BytesIO(image.data)).size for image in result.images]
    assert sizes == [(256, 256)] * 2


@pytest.mark.parametrize(
    ("model", "fidelity"),
    [("gpt-image-1", "high"), ("gpt-image-1-mini", None), ("gpt-image-2", None)],
)
def test_usage_of_an_edit_costs_no_more_than_the_catalog_says(
    make_call: MakeCall, sandbox_url: str, model: str, fidelity: str | None
):
    route = route_of(model, "openai")
    assert route.editing is not None
    assert route.token_rates is not None

    result = edit(
        make_call,
        sandbox_url,
        route,
        quality="low",
        inputs=[sent(picture((2048, 512)))],
        input_fidelity=fidelity,
    )

    usage, details = result.usage, result.usage["input_tokens_details"]
    whole = {"input_tokens": usage["input_tokens"], "input_tokens_details": details}
    paid = route.token_rates.usage_usd({**whole, "output_tokens": 1})
    text = {"input_tokens": details["text_tokens"], "output_tokens": 1}
    text_alone = route.token_rates.usage_usd(text)
    assert paid is not None
    assert text_alone is not None
    # The image is the dearest there is.
    assert paid - text_alone == route.editing.input_cost


def test_xai_edits_and_says_what_it_costs(make_call: MakeCall, sandbox_url: str):
    route = route_of("grok-imagine-image", "xai")
    assert route.editing is not None

    result = edit(
        make_call,
        sandbox_url,
        route,
        inputs=[sent(picture(color=(255, 0, 0))), sent(picture(color=(0, 0, 255)))],
        size_param={"aspect_ratio": "1:1", "resolution": "1k"},
    )

    image = Image.open(io.BytesIO(result.images[0].data)).convert("RGB")
    copy = image.crop((0, 0, 160, 160)).resize((1, 1))
    assert copy.tobytes()[2] > copy.tobytes()[0] + 100
    assert result.billable_units == Decimal("0.02") + 2 * route.editing.input_cost


def test_the_right_models_edit():
    edits = {model.id: model.max_inputs for model in catalog().models() if "/" not in model.id}

    assert edits["dall-e-3"] == edits["grok-2-image"] == 0
    assert edits["grok-imagine-image-2.0"] == 3
    assert {edits[name] for name in edits if name.startswith("gpt-image")} == {16}
    own = route_of("dall-e-2", "openai").editing
    assert own is not None
    assert (own.variation, own.formats, own.max_inputs) == (True, ("png",), 1)
