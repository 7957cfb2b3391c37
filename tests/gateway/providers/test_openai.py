import base64
import os

import pytest

from gateway.providers import errors
from gateway.providers.openai import OpenAIAdapter
from tests.core.http.upstream import Upstream
from tests.gateway.providers.conftest import KEY, MakeCall

PATH = "/v1/images/generations"
USAGE = {"input_tokens": 12, "output_tokens": 1756, "total_tokens": 1768}


def encoded(data: bytes) -> str:
    return base64.b64encode(data).decode()


def generate(make_call: MakeCall, upstream: Upstream, **fields):
    fields = {"upstream_model": "gpt-image-2", **fields}
    return OpenAIAdapter().generate(make_call(f"{upstream.url}/v1", **fields))


def test_generate_returns_the_images_and_usage(upstream: Upstream, make_call: MakeCall):
    first, second = os.urandom(1_000_000), os.urandom(1_000_000)
    upstream.answers(
        "POST",
        PATH,
        {
            "created": 1,
            "data": [
                {"b64_json": encoded(first), "revised_prompt": "A fine cat"},
                {"b64_json": f"data:image/png;base64,{encoded(second)}"},
            ],
            "usage": USAGE,
        },
        headers={"x-request-id": "req_1"},
    )
    call = make_call(
        f"{upstream.url}/v1/",
        upstream_model="gpt-image-2.5-flare",
        n=2,
        size_param={"size": "1024x1024"},
        quality="high",
        style="vivid",
        background="opaque",
        moderation="low",
        output_format="webp",
        output_compression=80,
        seed=7,
        user="u1",
        extra={"complexity": "low"},
    )

    result = OpenAIAdapter().generate(call)

    (request,) = upstream.received
    assert [image.data for image in result.images] == [first, second]
    assert [image.revised_prompt for image in result.images] == ["A fine cat", None]
    assert (result.usage, result.upstream_request_id, result.refused) == (USAGE, "req_1", 0)
    assert call.permit.held
    assert request.headers["authorization"] == f"Bearer {KEY}"
    assert request.headers["x-extra"] == "route"
    assert request.headers["x-lienzo-hop"] == "1"
    assert request.json() == {
        "model": "gpt-image-2.5-flare",
        "prompt": "a cat",
        "n": 2,
        "size": "1024x1024",
        "quality": "high",
        "background": "opaque",
        "moderation": "low",
        "output_format": "webp",
        "output_compression": 80,
        "user": "u1",
        "complexity": "low",
    }


@pytest.mark.parametrize(
    ("model", "body"),
    [
        (
            "dall-e-3",
            {"response_format": "b64_json", "quality": "hd", "style": "vivid", "user": "u"},
        ),
        ("dall-e-2", {"response_format": "b64_json", "user": "u"}),
        ("gpt-image-1", {"quality": "hd", "user": "u", "output_format": "png"}),
    ],
)
def test_each_family_gets_its_own_fields(
    upstream: Upstream, make_call: MakeCall, model: str, body: dict[str, object]
):
    upstream.answers("POST", PATH, {"data": [{"b64_json": "aW1n"}]})

    generate(
        make_call,
        upstream,
        upstream_model=model,
        quality="hd",
        style="vivid",
        output_format="png",
        user="u",
    )

    assert upstream.received[0].json() == {"model": model, "prompt": "a cat", "n": 1, **body}


def test_url_answer_is_downloaded_without_the_key(
    upstream: Upstream, images: Upstream, make_call: MakeCall
):
    data = os.urandom(300_000)
    images.answers("GET", "/a.png", status=302, headers={"Location": "/b.png"})
    images.answers("GET", "/b.png", data)
    upstream.answers("POST", PATH, {"data": [{"url": f"{images.url}/a.png?sig=1"}]})

    result = generate(make_call, upstream, upstream_model="dall-e-3")

    assert result.images[0].data == data
    assert len(images.received) == 2
    for request in images.received:
        assert KEY not in str(request.headers)
        assert "x-extra" not in request.headers


def test_image_in_our_own_network_is_refused(
    upstream: Upstream, images: Upstream, make_call: MakeCall
):
    images.answers("GET", "/a.png", b"image")
    upstream.answers("POST", PATH, {"data": [{"url": f"{images.url}/a.png"}]})

    with pytest.raises(errors.BadResponse) as raised:
        generate(make_call, upstream, allow_private=False)

    assert raised.value.processed is True
    assert images.received == []


def test_broken_image_among_good_ones_is_left_out(upstream: Upstream, make_call: MakeCall):
    items = [{"b64_json": "%%%"}, {"b64_json": "aW1n"}, {}, {"b64_json": ""}]
    upstream.answers("POST", PATH, {"data": items})

    result = generate(make_call, upstream, n=4)

    assert [image.data for image in result.images] == [b"img"]


def test_download_is_repeated_after_a_server_error(
    upstream: Upstream, images: Upstream, make_call: MakeCall
):
    answers = iter([(b"", 503), (b"image", 200)])

    def flaky(exchange):
        body, status = next(answers)
        exchange.reply(body, status=status)

    images.on("GET", "/a.png", flaky)
    upstream.answers("POST", PATH, {"data": [{"url": f"{images.url}/a.png"}]})

    assert generate(make_call, upstream).images[0].data == b"image"
    assert len(upstream.received) == 1


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"<html>hello</html>",
        b"[]",
        {"created": 1},
        {"data": []},
        {"data": None},
        {"data": [{}]},
        {"data": [{"b64_json": "&&&"}]},
        {"data": [{"url": ""}]},
        {"data": [{"url": "ftp://host/a.png"}]},
        {"data": ["aW1n"]},
    ],
)
def test_answer_without_an_image_is_a_bad_response(
    upstream: Upstream, make_call: MakeCall, body: object
):
    upstream.answers("POST", PATH, body, headers={"x-request-id": "req_9"})

    with pytest.raises(errors.BadResponse) as raised:
        generate(make_call, upstream)

    assert raised.value.processed is True
    assert raised.value.upstream_request_id == "req_9"


def test_image_over_its_limit_is_a_bad_response(
    upstream: Upstream, images: Upstream, make_call: MakeCall
):
    big = bytes(4_000_001)
    images.answers("GET", "/a.png", big)
    upstream.answers("POST", PATH, {"data": [{"url": f"{images.url}/a.png"}]})
    with pytest.raises(errors.BadResponse):
        generate(make_call, upstream)

    upstream.answers("POST", PATH, {"data": [{"b64_json": encoded(big)}]})
    with pytest.raises(errors.BadResponse):
        generate(make_call, upstream)

    upstream.answers("POST", PATH, {"data": [{"b64_json": encoded(bytes(8_000_000))}]})
    with pytest.raises(errors.BadResponse):
        generate(make_call, upstream)
