"""Edits over xAI's protocol: images in base64 within JSON, read while they are sent."""

import base64
import os

import pytest

from gateway.providers import errors
from gateway.providers.xai import XAIAdapter
from gateway.types import Operation
from tests.core.http.upstream import Upstream
from tests.gateway.providers.conftest import MakeCall
from tests.gateway.providers.inputs import is_whole, sent

PATH = "/v1/images/edits"
DONE = {
    "data": [{"b64_json": base64.b64encode(b"whole").decode(), "respect_moderation": True}],
    "usage": {"cost_in_usd_ticks": 220_000_000},
}


@pytest.fixture
def edit(upstream: Upstream, make_call: MakeCall):
    def edit(**fields):
        given = {
            "upstream_model": "grok-imagine-image",
            "operation": Operation.EDIT,
            "size_param": {"aspect_ratio": "16:9", "resolution": "1k"},
            **fields,
        }
        return XAIAdapter().generate(make_call(f"{upstream.url}/v1", **given))

    return edit


def uri(data: bytes, kind: str) -> dict[str, str]:
    encoded = base64.b64encode(data).decode()
    return {"url": f"data:image/{kind};base64,{encoded}", "type": "image_url"}


@pytest.mark.parametrize("count", [1, 2])
def test_images_go_as_data_uris_in_json(edit, upstream: Upstream, count: int):
    data = [os.urandom(100_001), os.urandom(70_000)][:count]
    upstream.answers("POST", PATH, DONE)

    result = edit(inputs=[sent(data[0]), sent(data[-1], "jpeg")][:count], user="u")

    (request,) = upstream.received
    images = [uri(data[0], "png"), uri(data[-1], "jpeg")][:count]
    assert request.headers["content-type"] == "application/json"
    assert request.json() == {
        "model": "grok-imagine-image",
        "prompt": "a cat",
        "n": 1,
        "response_format": "b64_json",
        "aspect_ratio": "16:9",
        "resolution": "1k",
        "user": "u",
        **({"image": images[0]} if count == 1 else {"images": images}),
    }
    assert [image.data for image in result.images] == [b"whole"]
    assert str(result.billable_units) == "0.022"


def test_an_image_that_cannot_be_read_is_no_fault_of_the_upstream(edit, upstream: Upstream):
    upstream.answers("POST", PATH, DONE)

    with pytest.raises(errors.InputUnavailable) as raised:
        edit(inputs=[sent(os.urandom(1_000_000), breaks=True)])

    assert raised.value.processed is False
    assert not any(is_whole(one) for one in upstream.received)


@pytest.mark.parametrize(
    ("status", "body", "kind"),
    [
        (400, {"code": "x", "error": "Content violates usage guidelines."}, errors.ContentRefused),
        (400, {"code": "x", "error": "The image is not valid."}, errors.ProviderRejected),
        (413, {}, errors.ProviderRejected),
        (503, {}, errors.ProviderUnavailable),
    ],
)
def test_a_failed_edit_is_classified(edit, upstream: Upstream, status, body, kind):
    upstream.answers("POST", PATH, body, status=status)

    with pytest.raises(errors.ProviderError) as raised:
        edit(inputs=[sent(b"image")])

    assert type(raised.value) is kind
