"""Images that Kontext edits at fal: what is sent, what comes back, and picking up again."""

import base64
import io
import os

import pytest
from PIL import Image

from gateway.catalog.fal import KONTEXT_ENDPOINTS, flux_kontext
from gateway.providers import errors
from gateway.providers.base import InputImage
from gateway.providers.fal import FalAdapter
from gateway.types import Operation
from tests.core.http.upstream import Upstream
from tests.gateway.providers.conftest import MakeCall
from tests.gateway.providers.fal_queue import MODEL, queue
from tests.gateway.providers.inputs import picture, red_and_blue, sent

KONTEXT = "fal-ai/flux-pro/kontext"
RED, BLUE = (255, 0, 0), (0, 0, 255)


def edit(make_call: MakeCall, base_url: str, **fields):
    given = {
        "upstream_model": KONTEXT,
        "operation": Operation.EDIT,
        "size_param": {"aspect_ratio": "3:2"},
        "seconds": 20.0,
        **fields,
    }
    return FalAdapter().generate(make_call(base_url, **given))


def test_an_image_is_sent_as_a_data_uri(
    upstream: Upstream, images: Upstream, make_call: MakeCall, saved: list[str]
):
    images.answers("GET", "/a.png", b"img")
    queue(upstream, result={"images": [{"url": f"{images.url}/a.png"}], "seed": 7})
    data = os.urandom(400_001)

    result = edit(
        make_call,
        f"{upstream.url}/q",
        upstream_model=MODEL,
        prompt="ein Fuchs 狐",
        inputs=[sent(data, "jpeg")],
        n=2,
        seed=7,
        output_format="png",
    )

    submit = upstream.received[0]
    body = submit.json()
    head, _, encoded = body.pop("image_url").partition(",")
    assert (head, base64.b64decode(encoded)) == ("data:image/jpeg;base64", data)
    assert body == {
        "prompt": "ein Fuchs 狐",
        "aspect_ratio": "3:2",
        "num_images": 2,
        "output_format": "png",
        "seed": 7,
    }
    assert submit.headers["content-length"] == str(len(submit.body))
    assert [image.data for image in result.images] == [b"img"]
    assert len(saved) == 1


def test_an_image_that_cannot_be_read_is_no_fault_of_the_upstream(
    upstream: Upstream, make_call: MakeCall, saved: list[str]
):
    queue(upstream, result={})
    broken = [sent(os.urandom(400_000), breaks=True)]

    with pytest.raises(errors.InputUnavailable) as raised:
        edit(make_call, f"{upstream.url}/q", upstream_model=MODEL, inputs=broken)

    assert raised.value.processed is False
    assert saved == []


@pytest.mark.parametrize("name", KONTEXT_ENDPOINTS)
def test_a_picture_of_the_sandbox_shows_its_input_and_is_picked_up_again(
    make_call: MakeCall, sandbox_url: str, saved: list[str], name: str
):
    route = flux_kontext(name, "0.04")
    drawn = []
    for color in (RED, BLUE):
        result = edit(
            make_call,
            f"{sandbox_url}/fal",
            upstream_model=route.upstream_model,
            inputs=[sent(picture(color=color, kind="jpeg"), "jpeg")],
            output_format="png",
        )
        call = make_call(f"{sandbox_url}/fal", upstream_model=route.upstream_model)
        again = FalAdapter().resume(call, saved[-1])
        assert again.images[0].data == result.images[0].data
        assert result.billable_units is not None
        assert str(route.image_cost.usd_of_units(result.billable_units)) == "0.04"
        assert Image.open(io.BytesIO(again.images[0].data)).size == (1248, 832)
        drawn.append(red_and_blue(again.images[0].data, (20, 250)))

    red, blue = drawn
    assert (red[0] - blue[0] > 100, blue[1] - red[1] > 100) == (True, True)


@pytest.mark.parametrize(
    ("inputs", "directive", "expected", "param"),
    [
        ([], "", errors.ProviderRejected, "image_url"),
        ([sent(b"no image")], "", errors.ProviderRejected, "image_url"),
        ([sent(picture())], "[[refuse]]", errors.ContentRefused, None),
        ([sent(picture())], "[[nsfw]]", errors.ContentRefused, None),
        ([sent(picture())], "[[status=500]]", errors.ProviderUnavailable, None),
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
        edit(make_call, f"{sandbox_url}/fal", inputs=inputs, prompt=f"a cat {directive}")

    assert type(raised.value) is expected
    assert getattr(raised.value, "param", None) == param
