import base64
import os
from decimal import Decimal

import pytest

from gateway.providers import errors
from gateway.providers.xai import XAIAdapter
from tests.core.http.upstream import Upstream
from tests.gateway.providers.conftest import KEY, MakeCall

PATH = "/v1/images/generations"
FLAGGED = {"b64_json": "", "mime_type": "", "respect_moderation": False}


def encoded(data: bytes) -> str:
    return base64.b64encode(data).decode()


def image(data: bytes = b"img", **more: object) -> dict[str, object]:
    return {
        "b64_json": encoded(data),
        "mime_type": "image/jpeg",
        "revised_prompt": "",
        "respect_moderation": True,
        **more,
    }


def generate(make_call: MakeCall, upstream: Upstream, **fields):
    fields = {"upstream_model": "grok-imagine-image", **fields}
    return XAIAdapter().generate(make_call(f"{upstream.url}/v1", **fields))


def test_generate_returns_the_images_and_what_they_cost(upstream: Upstream, make_call: MakeCall):
    first, second = os.urandom(1_000_000), os.urandom(1_000_000)
    upstream.answers(
        "POST",
        PATH,
        {
            "created": 1,
            "data": [
                image(first, revised_prompt="A fine cat"),
                image(b64_json=f"data:image/jpeg;base64,{encoded(second)}"),
            ],
            "usage": {"cost_in_usd_ticks": 1_200_000_000},
        },
        headers={"x-request-id": "x-1"},
    )
    call = make_call(
        f"{upstream.url}/v1/",
        upstream_model="grok-imagine-image-2.0",
        n=2,
        size_param={"aspect_ratio": "16:9", "resolution": "1k"},
        quality="medium",
        style="vivid",
        background="opaque",
        output_format="png",
        seed=7,
        user="u1",
    )

    result = XAIAdapter().generate(call)

    (request,) = upstream.received
    assert [one.data for one in result.images] == [first, second]
    assert [one.revised_prompt for one in result.images] == ["A fine cat", None]
    assert (result.billable_units, result.usage) == (Decimal("0.12"), None)
    assert (result.upstream_request_id, result.refused) == ("x-1", 0)
    assert call.permit.held
    assert request.headers["authorization"] == f"Bearer {KEY}"
    assert request.headers["x-extra"] == "route"
    assert request.headers["x-lienzo-hop"] == "1"
    assert request.json() == {
        "model": "grok-imagine-image-2.0",
        "prompt": "a cat",
        "n": 2,
        "response_format": "b64_json",
        "aspect_ratio": "16:9",
        "resolution": "1k",
        "quality": "medium",
        "user": "u1",
    }


def test_fields_without_a_value_are_not_sent(upstream: Upstream, make_call: MakeCall):
    upstream.answers("POST", PATH, {"data": [image()]})

    result = generate(make_call, upstream)

    assert result.billable_units is None
    assert upstream.received[0].json() == {
        "model": "grok-imagine-image",
        "prompt": "a cat",
        "n": 1,
        "response_format": "b64_json",
    }


@pytest.mark.parametrize("ticks", [None, "many", -1, True, 1.5])
def test_cost_that_is_no_count_of_ticks_is_not_believed(
    upstream: Upstream, make_call: MakeCall, ticks: object
):
    upstream.answers("POST", PATH, {"data": [image()], "usage": {"cost_in_usd_ticks": ticks}})

    assert generate(make_call, upstream).billable_units is None


def test_url_answer_is_downloaded_over_redirects_without_the_key(
    upstream: Upstream, images: Upstream, make_call: MakeCall
):
    data = os.urandom(300_000)
    images.answers("GET", "/a.jpeg", status=302, headers={"Location": "/b.jpeg"})
    images.answers("GET", "/b.jpeg", data)
    item = {"url": f"{images.url}/a.jpeg", "respect_moderation": True}
    upstream.answers("POST", PATH, {"data": [item]})

    assert generate(make_call, upstream).images[0].data == data
    assert len(images.received) == 2
    for request in images.received:
        assert KEY not in str(request.headers)
        assert "x-extra" not in request.headers


def test_expired_url_is_a_bad_response(upstream: Upstream, images: Upstream, make_call: MakeCall):
    images.answers("GET", "/a.jpeg", b"gone", status=403)
    upstream.answers("POST", PATH, {"data": [{"url": f"{images.url}/a.jpeg"}]})

    with pytest.raises(errors.BadResponse) as raised:
        generate(make_call, upstream)

    assert raised.value.processed is True


def test_path_of_the_base_url_is_kept(upstream: Upstream, make_call: MakeCall):
    upstream.answers("POST", "/relay/grok/v1/images/generations", {"data": [image()]})
    call = make_call(f"{upstream.url}/relay/grok/v1", upstream_model="grok-imagine-image")

    assert XAIAdapter().generate(call).images[0].data == b"img"


def test_redirect_of_the_call_is_not_followed(
    upstream: Upstream, images: Upstream, make_call: MakeCall
):
    upstream.answers("POST", PATH, status=307, headers={"Location": f"{images.url}{PATH}"})

    with pytest.raises(errors.ProviderUnavailable):
        generate(make_call, upstream)

    assert images.received == []


def test_flagged_images_are_counted_even_with_content(upstream: Upstream, make_call: MakeCall):
    items = [FLAGGED, image(), image(b"no", respect_moderation=False)]
    upstream.answers("POST", PATH, {"data": items})

    result = generate(make_call, upstream, n=3)

    assert [one.data for one in result.images] == [b"img"]
    assert result.refused == 2


@pytest.mark.parametrize("data", [[], [FLAGGED], [{"url": "", "respect_moderation": False}] * 2])
def test_answer_without_an_allowed_image_is_a_refusal(
    upstream: Upstream, make_call: MakeCall, data: object
):
    upstream.answers("POST", PATH, {"data": data}, headers={"x-request-id": "x-2"})

    with pytest.raises(errors.ContentRefused) as raised:
        generate(make_call, upstream, n=2)

    assert raised.value.code == "content_policy_violation"
    assert raised.value.processed is True
    assert (raised.value.upstream_status, raised.value.upstream_request_id) == (200, "x-2")


def test_fewer_and_more_images_than_asked_for_are_returned(upstream: Upstream, make_call: MakeCall):
    upstream.answers("POST", PATH, {"data": [image()] * 3})

    fewer, more = generate(make_call, upstream, n=5), generate(make_call, upstream, n=1)

    assert (len(fewer.images), fewer.refused) == (3, 0)
    assert (len(more.images), more.refused) == (3, 0)


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"<html>hello</html>",
        b"[]",
        {"created": 1},
        {"data": None},
        {"data": [{}]},
        {"data": [{"url": "ftp://host/a.png"}]},
        {"data": [image(b64_json="&&&")]},
    ],
)
def test_answer_without_an_image_is_a_bad_response(
    upstream: Upstream, make_call: MakeCall, body: object
):
    upstream.answers("POST", PATH, body, headers={"x-request-id": "x-9"})

    with pytest.raises(errors.BadResponse) as raised:
        generate(make_call, upstream)

    assert raised.value.processed is True
    assert raised.value.upstream_request_id == "x-9"


def test_image_over_its_limit_is_a_bad_response(
    upstream: Upstream, images: Upstream, make_call: MakeCall
):
    images.answers("GET", "/a.jpeg", bytes(4_000_001))
    upstream.answers("POST", PATH, {"data": [{"url": f"{images.url}/a.jpeg"}]})
    with pytest.raises(errors.BadResponse):
        generate(make_call, upstream)

    for size in (4_000_001, 8_000_000):
        upstream.answers("POST", PATH, {"data": [image(bytes(size))]})
        with pytest.raises(errors.BadResponse):
            generate(make_call, upstream)
