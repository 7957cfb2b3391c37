"""Images that Stability AI makes of another: what is sent, and what comes back."""

import io
import os

import pytest
from PIL import Image

from gateway.providers import errors
from gateway.providers.base import InputImage
from gateway.providers.stability import StabilityAdapter
from gateway.types import Operation
from tests.core.http.upstream import Upstream
from tests.gateway.providers.conftest import KEY, MakeCall
from tests.gateway.providers.inputs import parts_of, picture, red_and_blue, sent

V2 = "/s/v2beta/stable-image/generate"
DRAWN = {"image": "aW1n", "finish_reason": "SUCCESS", "seed": 7}
RED, BLUE = (255, 0, 0), (0, 0, 255)


def edit(make_call: MakeCall, base_url: str, **fields):
    given = {
        "upstream_model": "sd3.5-medium",
        "operation": Operation.EDIT,
        "size_param": {"aspect_ratio": "3:2"},
        "seconds": 20.0,
        **fields,
    }
    return StabilityAdapter().generate(make_call(base_url, **given))


@pytest.mark.parametrize(
    ("model", "path", "fidelity", "fields"),
    [
        ("ultra", "ultra", None, {"aspect_ratio": "3:2", "strength": "0.7"}),
        (
            "sd3.5-medium",
            "sd3",
            "high",
            {"model": "sd3.5-medium", "mode": "image-to-image", "strength": "0.4"},
        ),
    ],
)
def test_an_image_goes_along_as_a_file(
    upstream: Upstream,
    make_call: MakeCall,
    model: str,
    path: str,
    fidelity: str | None,
    fields: dict[str, str],
):
    upstream.answers("POST", f"{V2}/{path}", DRAWN)
    data = os.urandom(400_001)

    result = edit(
        make_call,
        f"{upstream.url}/s",
        upstream_model=model,
        prompt="ein Fuchs 狐",
        inputs=[sent(data, "jpeg")],
        input_fidelity=fidelity,
        seed=7,
    )

    (request,) = upstream.received
    *texts, file = parts_of(request)
    assert file == ("image", "image.jpg", "image/jpeg", data)
    given = {name: value.decode() for name, _, _, value in texts}
    assert given == {"prompt": "ein Fuchs 狐", "seed": "7", **fields}
    assert request.headers["authorization"] == f"Bearer {KEY}"
    assert request.headers["content-length"] == str(len(request.body))
    assert [image.data for image in result.images] == [b"img"]


def test_an_image_that_cannot_be_read_is_no_fault_of_the_upstream(
    upstream: Upstream, make_call: MakeCall
):
    upstream.answers("POST", f"{V2}/sd3", DRAWN)
    broken = [sent(os.urandom(400_000), breaks=True)]

    with pytest.raises(errors.InputUnavailable) as raised:
        edit(make_call, f"{upstream.url}/s", inputs=broken)

    assert raised.value.processed is False


@pytest.mark.parametrize(("model", "size"), [("ultra", (1216, 832)), ("sd3.5-medium", (1344, 768))])
def test_a_picture_of_the_sandbox_shows_its_input(
    make_call: MakeCall, sandbox_url: str, model: str, size: tuple[int, int]
):
    drawn = []
    for color in (RED, BLUE):
        inputs = [sent(picture((192, 108), color, "jpeg"), "jpeg")]
        result = edit(make_call, f"{sandbox_url}/stability", upstream_model=model, inputs=inputs)
        data = result.images[0].data
        assert Image.open(io.BytesIO(data)).size == size
        drawn.append(red_and_blue(data, (20, 250)))

    red, blue = drawn
    assert (red[0] - blue[0] > 100, blue[1] - red[1] > 100) == (True, True)


@pytest.mark.parametrize(
    ("inputs", "directive", "expected", "param"),
    [
        ([sent(b"no image")], "", errors.ProviderRejected, "image"),
        ([sent(picture((32, 900)))], "", errors.ProviderRejected, "image"),
        ([sent(os.urandom(10 * 1024 * 1024))], "", errors.ProviderRejected, "body"),
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
        edit(make_call, f"{sandbox_url}/stability", inputs=inputs, prompt=f"a cat {directive}")

    assert type(raised.value) is expected
    assert getattr(raised.value, "param", None) == param
