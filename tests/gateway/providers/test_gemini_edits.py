"""Images that a Gemini model edits: what is sent, what comes back, and what it costs."""

import base64
import os
from decimal import Decimal

import pytest

from gateway.catalog.google import FLASH_3_1, GEMINI, PRO
from gateway.catalog.types import Route
from gateway.providers import errors
from gateway.providers.base import InputImage
from gateway.providers.gemini import GeminiAdapter
from gateway.types import Operation
from tests.core.http.upstream import Upstream
from tests.gateway.providers.conftest import MakeCall
from tests.gateway.providers.inputs import picture, red_and_blue, sent

FLASH = "gemini-2.5-flash-image"
GENERATE = f"/v1beta/models/{FLASH}:generateContent"
ANSWER = {"candidates": [{"content": {"parts": [{"inlineData": {"data": "aW1n"}}]}}]}
RED, BLUE = (255, 0, 0), (0, 0, 255)


def edit(make_call: MakeCall, base_url: str, **fields):
    given = {"upstream_model": FLASH, "operation": Operation.EDIT, "seconds": 20.0, **fields}
    return GeminiAdapter().generate(make_call(base_url, **given))


def test_images_stand_before_the_text(upstream: Upstream, make_call: MakeCall):
    upstream.answers("POST", GENERATE, ANSWER)
    first, second = os.urandom(400_001), os.urandom(70_000)

    result = edit(
        make_call,
        upstream.url,
        prompt="ein Fuchs 狐",
        inputs=[sent(first), sent(second, "webp")],
        size_param={"aspectRatio": "16:9"},
    )

    (request,) = upstream.received
    assert [image.data for image in result.images] == [b"img"]
    assert request.headers["content-type"] == "application/json"
    assert request.headers["content-length"] == str(len(request.body))
    (content,) = request.json()["contents"]
    *images, text = content["parts"]
    assert text == {"text": "ein Fuchs 狐"}
    assert [image["inlineData"]["mimeType"] for image in images] == ["image/png", "image/webp"]
    arrived = [base64.b64decode(image["inlineData"]["data"]) for image in images]
    assert arrived == [first, second]
    assert request.json()["generationConfig"] == {
        "responseModalities": ["IMAGE"],
        "imageConfig": {"aspectRatio": "16:9"},
    }


def test_an_image_that_cannot_be_read_is_no_fault_of_the_upstream(
    upstream: Upstream, make_call: MakeCall
):
    upstream.answers("POST", GENERATE, ANSWER)

    with pytest.raises(errors.InputUnavailable) as raised:
        edit(make_call, upstream.url, inputs=[sent(os.urandom(400_000), breaks=True)])

    assert raised.value.processed is False
    assert upstream.received == [] or len(upstream.received[0].body) < 400_000


def test_a_picture_of_the_sandbox_shows_its_inputs(make_call: MakeCall, sandbox_url: str):
    images = []
    for color in (RED, BLUE):
        inputs = [sent(picture(color=color, kind="webp"), "webp")]
        result = edit(make_call, f"{sandbox_url}/gemini", inputs=inputs)
        images.append(red_and_blue(result.images[0].data, (20, 300)))

    # Where the sky is drawn, three parts of five are the input.
    red, blue = images
    assert (red[0] - blue[0] > 100, blue[1] - red[1] > 100) == (True, True)


@pytest.mark.parametrize(
    ("route", "inputs", "usd"),
    [
        (GEMINI, 2, "0.0388551"),  # 1 and 2 x 258 tokens in, 1,290 out
        (PRO, 3, "0.142922"),  # 1 and 3 x 1,120 in, 150 of thoughts and 1,120 out
        (FLASH_3_1, 1, "0.0682105"),  # 1 and 1,120 in, 150 of thoughts and 1,120 out
    ],
)
def test_images_sent_along_are_part_of_the_cost(
    make_call: MakeCall, sandbox_url: str, route: Route, inputs: int, usd: str
):
    result = edit(
        make_call,
        f"{sandbox_url}/gemini",
        upstream_model=route.upstream_model,
        inputs=[sent(picture())] * inputs,
    )

    assert result.usage is not None
    assert route.token_rates is not None
    cost = route.token_rates.usage_usd(result.usage)
    assert str(cost) == usd
    assert route.editing is not None
    assert cost is not None
    without = edit(
        make_call, f"{sandbox_url}/gemini", upstream_model=route.upstream_model, inputs=[]
    )
    alone = route.token_rates.usage_usd(without.usage or {})
    assert alone is not None
    assert Decimal(0) < cost - alone <= inputs * route.editing.input_cost


@pytest.mark.parametrize(
    ("inputs", "directive", "expected"),
    [
        ([sent(b"no image")], "", errors.ProviderRejected),
        ([sent(picture(kind="gif"), "gif")], "", errors.ProviderRejected),
        ([sent(picture())] * 4, "", errors.ProviderRejected),
        ([sent(picture())], "[[refuse]]", errors.ContentRefused),
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
        edit(make_call, f"{sandbox_url}/gemini", inputs=inputs, prompt=f"a cat {directive}")

    assert type(raised.value) is expected
