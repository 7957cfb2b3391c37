"""Images that Flux edits: what is sent, what comes back, what it costs, and picking up again."""

import base64
import io
import os
from decimal import Decimal

import pytest
from PIL import Image

from gateway.catalog.bfl import INPUT_PIXELS
from gateway.catalog.registry import catalog
from gateway.catalog.types import Route
from gateway.providers import errors
from gateway.providers.base import InputImage
from gateway.providers.bfl import BflAdapter
from gateway.types import Operation
from tests.core.http.upstream import Upstream
from tests.gateway.providers.bfl_tasks import platform, ready, sample
from tests.gateway.providers.conftest import MakeCall
from tests.gateway.providers.inputs import picture, red_and_blue, sent

RED, BLUE = (255, 0, 0), (0, 0, 255)
SQUARE = {"width": 512, "height": 512}
EDITING: dict[str, Route] = {
    route.upstream_model: route
    for model in catalog().models()
    for route in model.routes
    if route.provider == "bfl" and route.editing is not None
}


def edit(make_call: MakeCall, base_url: str, **fields):
    given = {
        "upstream_model": "flux-2-pro",
        "operation": Operation.EDIT,
        "size_param": SQUARE,
        "seconds": 20.0,
        **fields,
    }
    return BflAdapter().generate(make_call(base_url, **given))


def test_each_image_has_a_field_of_its_own(
    upstream: Upstream, images: Upstream, make_call: MakeCall, saved: list[str]
):
    platform(upstream, ready(sample(images, b"img")))
    first, second, third = os.urandom(400_001), os.urandom(70_000), os.urandom(3)

    result = edit(
        make_call,
        f"{upstream.url}/b",
        upstream_model="flux-pro-1.1",
        prompt="ein Fuchs 狐",
        inputs=[sent(first), sent(second, "jpeg"), sent(third, "webp")],
        seed=7,
        moderation="low",
        output_format="png",
    )

    submit = upstream.received[0]
    body = submit.json()
    names = ("input_image", "input_image_2", "input_image_3")
    assert [base64.b64decode(body.pop(name)) for name in names] == [first, second, third]
    assert body == {
        "prompt": "ein Fuchs 狐",
        **SQUARE,
        "seed": 7,
        "output_format": "png",
        "safety_tolerance": 5,
    }
    assert submit.headers["content-type"] == "application/json"
    assert submit.headers["content-length"] == str(len(submit.body))
    assert [image.data for image in result.images] == [b"img"]
    assert len(saved) == 1


def test_an_image_that_cannot_be_read_is_no_fault_of_the_upstream(
    upstream: Upstream, make_call: MakeCall, saved: list[str]
):
    platform(upstream, {})

    with pytest.raises(errors.InputUnavailable) as raised:
        edit(
            make_call,
            f"{upstream.url}/b",
            upstream_model="flux-pro-1.1",
            inputs=[sent(os.urandom(400_000), breaks=True)],
        )

    assert raised.value.processed is False
    assert saved == []


@pytest.mark.parametrize("upstream_model", EDITING)
def test_every_route_edits_its_most_images_for_what_it_says(
    make_call: MakeCall, sandbox_url: str, upstream_model: str
):
    route = EDITING[upstream_model]
    assert route.editing is not None
    asked = route.sizing.ask(catalog_size())
    assert asked is not None
    images = [sent(picture((2048, 2048), RED, "webp"), "webp")] * route.editing.max_inputs

    result = edit(
        make_call,
        f"{sandbox_url}/bfl",
        upstream_model=upstream_model,
        size_param=asked.fields,
        inputs=images,
        moderation="low",
        output_format="png",
    )

    drawn = Image.open(io.BytesIO(result.images[0].data))
    assert drawn.size == (asked.size.width, asked.size.height)
    assert result.billable_units is not None
    image = route.image_cost.usd(asked.size, None)
    assert image is not None
    # Images of the most pixels that the route takes cost just what it says.
    most = image + route.editing.max_inputs * route.editing.input_cost
    assert route.image_cost.usd_of_units(result.billable_units) == most
    if upstream_model.startswith("flux-2-"):
        assert (2048 * 2048, route.editing.input_cost > 0) == (INPUT_PIXELS, True)
    else:
        assert route.editing.input_cost == Decimal(0)


def catalog_size():
    model = catalog().find("flux-2-pro")
    assert model is not None
    return model.default_size


def test_a_picture_of_the_sandbox_shows_its_inputs_and_is_picked_up_again(
    make_call: MakeCall, sandbox_url: str, saved: list[str]
):
    drawn = []
    for color in (RED, BLUE):
        inputs = [sent(picture(color=color))]
        result = edit(make_call, f"{sandbox_url}/bfl", inputs=inputs, output_format="png")
        call = make_call(f"{sandbox_url}/bfl", upstream_model="flux-2-pro")
        again = BflAdapter().resume(call, saved[-1])
        assert again.images[0].data == result.images[0].data
        drawn.append(red_and_blue(again.images[0].data, (20, 150)))

    red, blue = drawn
    assert (red[0] - blue[0] > 100, blue[1] - red[1] > 100) == (True, True)


@pytest.mark.parametrize(
    ("inputs", "directive", "expected", "param"),
    [
        ([sent(b"no image")], "", errors.ProviderRejected, "input_image"),
        ([sent(picture()), sent(b"")], "", errors.ProviderRejected, "input_image_2"),
        ([sent(picture())], "[[refuse]]", errors.ContentRefused, None),
        ([sent(picture())], "[[status=500]]", errors.ProviderUnavailable, None),
        ([sent(picture())], "[[unfunded]]", errors.OutOfFunds, None),
    ],
)
def test_failure_of_an_edit_is_classified(
    make_call: MakeCall,
    sandbox_url: str,
    inputs: list[InputImage],
    directive: str,
    expected: type[errors.ProviderError],
    param: str | None,
):
    with pytest.raises(errors.ProviderError) as raised:
        edit(make_call, f"{sandbox_url}/bfl", inputs=inputs, prompt=f"a cat {directive}")

    assert type(raised.value) is expected
    assert getattr(raised.value, "param", None) == param
