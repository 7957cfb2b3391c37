"""Images that Ideogram 3 remixes: what is sent, and what comes back."""

import os

import pytest

from gateway.providers import errors
from gateway.providers.base import InputImage
from gateway.providers.ideogram import IdeogramAdapter
from gateway.types import Operation
from tests.core.http.upstream import Upstream
from tests.gateway.providers.conftest import KEY, MakeCall
from tests.gateway.providers.ideogram_api import answer, item
from tests.gateway.providers.ideogram_api import picture as hosted
from tests.gateway.providers.inputs import parts_of, picture, red_and_blue, sent

REMIX = "/x/v1/ideogram-v3/remix"
RED, BLUE = (255, 0, 0), (0, 0, 255)


def edit(make_call: MakeCall, base_url: str, **fields):
    given = {
        "upstream_model": "ideogram-v3",
        "operation": Operation.EDIT,
        "size_param": {"resolution": "1152x864"},
        "quality": "TURBO",
        "seconds": 20.0,
        **fields,
    }
    return IdeogramAdapter().generate(make_call(base_url, **given))


@pytest.mark.parametrize(("fidelity", "weight"), [("high", ["80"]), ("low", []), (None, [])])
def test_an_image_is_remixed(
    upstream: Upstream,
    images: Upstream,
    make_call: MakeCall,
    fidelity: str | None,
    weight: list[str],
):
    upstream.answers("POST", REMIX, answer(item(hosted(images, b"img"))))
    data = os.urandom(400_001)

    result = edit(
        make_call,
        f"{upstream.url}/x/",
        prompt="ein Fuchs 狐",
        inputs=[sent(data, "webp")],
        input_fidelity=fidelity,
        seed=7,
    )

    (request,) = upstream.received
    *texts, file = parts_of(request)
    assert file == ("image", "image.webp", "image/webp", data)
    assert [(name, value.decode()) for name, _, _, value in texts] == [
        ("prompt", "ein Fuchs 狐"),
        ("resolution", "1152x864"),
        ("num_images", "1"),
        ("seed", "7"),
        ("rendering_speed", "TURBO"),
        *(("image_weight", value) for value in weight),
    ]
    assert request.headers["api-key"] == KEY
    assert [image.data for image in result.images] == [b"img"]


def test_an_image_that_cannot_be_read_is_no_fault_of_the_upstream(
    upstream: Upstream, make_call: MakeCall
):
    upstream.answers("POST", REMIX, answer())
    broken = [sent(os.urandom(400_000), breaks=True)]

    with pytest.raises(errors.InputUnavailable) as raised:
        edit(make_call, f"{upstream.url}/x/", inputs=broken)

    assert raised.value.processed is False


def test_a_picture_of_the_sandbox_shows_its_input(make_call: MakeCall, sandbox_url: str):
    drawn = []
    for color in (RED, BLUE):
        inputs = [sent(picture(color=color, kind="jpeg"), "jpeg")]
        result = edit(make_call, f"{sandbox_url}/ideogram", inputs=inputs, n=2)
        assert len(result.images) == 2
        drawn.append(red_and_blue(result.images[1].data, (20, 250)))

    red, blue = drawn
    assert (red[0] - blue[0] > 100, blue[1] - red[1] > 100) == (True, True)


@pytest.mark.parametrize(
    ("inputs", "directive", "expected"),
    [
        ([sent(b"no image")], "", errors.ProviderRejected),
        ([sent(picture())] * 2, "", errors.ProviderRejected),
        ([sent(picture())], "[[refuse]]", errors.ContentRefused),
        ([sent(picture())], "[[nsfw]]", errors.ContentRefused),
        ([sent(picture())], "[[status=503]]", errors.ProviderUnavailable),
    ],
)
def test_failure_of_an_edit_is_classified(
    make_call: MakeCall,
    sandbox_url: str,
    inputs: list[InputImage],
    directive: str,
    expected: type[errors.ProviderError],
):
    with pytest.raises(errors.ProviderError) as raised:
        edit(make_call, f"{sandbox_url}/ideogram", inputs=inputs, prompt=f"a cat {directive}")

    assert type(raised.value) is expected
