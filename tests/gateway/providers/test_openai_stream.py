"""Partial images of the OpenAI protocol: passed on as they come, and what else a stream holds."""

import base64
import json
import os
from dataclasses import replace

import pytest

from gateway.providers import errors
from gateway.providers.azure_openai import AzureOpenAIAdapter
from gateway.providers.openai import OpenAIAdapter
from tests.core.http.upstream import Upstream
from tests.gateway.providers.conftest import MakeCall

PATH = "/v1/images/generations"
USAGE = {"input_tokens": 12, "output_tokens": 1356, "total_tokens": 1368}
HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream; charset=utf-8\r\nx-request-id: r1\r\n"
BLOCKED = {"message": "No.", "type": "image_generation_user_error", "code": "moderation_blocked"}


def event(kind: str, data: bytes = b"", **fields) -> bytes:
    name = f"image_generation.{kind}"
    body = {"type": name, "b64_json": base64.b64encode(data).decode(), **fields}
    return f"event: {name}\ndata: {json.dumps(body)}\n\n".encode()


def stream_of(*parts: bytes):
    def route(exchange):
        exchange.raw(HEAD + b"Connection: close\r\n\r\n" + b"".join(parts))
        exchange.drop()

    return route


@pytest.fixture
def seen() -> list[bytes]:
    return []


@pytest.fixture
def generate(upstream: Upstream, make_call: MakeCall, seen: list[bytes]):
    def generate(**fields):
        given = {"upstream_model": "gpt-image-1", "partial_images": 2, **fields}
        call = replace(make_call(f"{upstream.url}/v1", **given), on_partial=seen.append)
        return OpenAIAdapter().generate(call)

    return generate


def test_partials_are_passed_on_and_the_image_returned(generate, upstream, seen):
    first, second, whole = (os.urandom(200_000) for _ in range(3))
    upstream.on(
        "POST",
        PATH,
        stream_of(
            b": hello\n\n",
            event("partial_image", first, partial_image_index=0),
            event("partial_image", second, partial_image_index=1),
            event("completed", whole, usage=USAGE),
            b"data: [DONE]\n\n",
        ),
    )

    result = generate()

    assert seen == [first, second]
    assert [image.data for image in result.images] == [whole]
    assert (result.usage, result.upstream_request_id) == (USAGE, "r1")
    body = upstream.received[0].json()
    assert (body["stream"], body["partial_images"]) == (True, 2)


def test_a_partial_is_passed_on_before_the_next_one_is_sent(upstream, make_call):
    seen: list[bytes] = []

    def route(exchange):
        exchange.raw(HEAD + b"Connection: close\r\n\r\n")
        for index in range(2):
            exchange.raw(event("partial_image", b"%d" % index))
            while len(seen) <= index:
                pass
        exchange.raw(event("completed", b"whole"))
        exchange.drop()

    upstream.on("POST", PATH, route)
    call = make_call(f"{upstream.url}/v1", upstream_model="gpt-image-1", partial_images=2)

    result = OpenAIAdapter().generate(replace(call, on_partial=seen.append))

    assert (seen, result.images[0].data) == ([b"0", b"1"], b"whole")


def test_no_more_partials_than_asked_for_and_no_broken_ones(generate, upstream, seen):
    broken = event("partial_image").replace(b'"b64_json": ""', b'"b64_json": "%%%"')
    upstream.on(
        "POST",
        PATH,
        stream_of(
            broken,
            *(event("partial_image", b"%d" % index) for index in range(5)),
            event("completed", b"whole"),
        ),
    )

    assert generate().images[0].data == b"whole"
    assert seen == [b"0"]


@pytest.mark.parametrize("wrap", [True, False], ids=["envelope", "flat"])
@pytest.mark.parametrize(
    ("error", "kind"),
    [
        (BLOCKED, errors.ContentRefused),
        ({"message": "x", "type": "server_error", "code": None}, errors.ProviderUnavailable),
        ({"message": "x", "code": "rate_limit_exceeded"}, errors.RateLimited),
        ({"message": "x", "type": "insufficient_quota"}, errors.OutOfFunds),
    ],
)
def test_an_error_in_the_stream_is_classified(generate, upstream, seen, wrap, error, kind):
    body = {"type": "error", "error": error} if wrap else {**error}
    text = f"event: error\ndata: {json.dumps(body)}\n\n".encode()
    upstream.on("POST", PATH, stream_of(event("partial_image", b"0"), text))

    with pytest.raises(kind) as failed:
        generate()

    assert failed.value.upstream_request_id == "r1"
    assert seen == [b"0"]


@pytest.mark.parametrize("tail", [b"", b"event: image_generation.completed\ndata: {"])
def test_a_stream_that_ends_early_may_have_been_paid_for(generate, upstream, tail):
    upstream.on("POST", PATH, stream_of(event("partial_image", b"0"), tail))

    with pytest.raises(errors.ProviderUnavailable) as failed:
        generate()

    assert failed.value.processed


@pytest.mark.parametrize("text", [b"data: [1]\n\n", b"data: {\n\n"])
def test_an_event_that_is_no_json_object_is_a_bad_response(generate, upstream, text):
    upstream.on("POST", PATH, stream_of(text))

    with pytest.raises(errors.BadResponse):
        generate()


def test_a_server_that_answers_json_gives_the_image_alone(generate, upstream, seen):
    data = [{"b64_json": base64.b64encode(b"whole").decode()}]
    upstream.answers("POST", PATH, {"data": data}, headers={"Content-Type": "application/json"})

    assert generate().images[0].data == b"whole"
    assert seen == []


def test_a_server_that_refuses_to_stream_is_asked_for_the_image_alone(generate, upstream):
    def route(exchange):
        if "stream" in exchange.request.json():
            error = {"message": "Unknown parameter: 'stream'.", "param": "stream"}
            exchange.reply({"error": {**error, "type": "invalid_request_error"}}, status=400)
        else:
            exchange.reply({"data": [{"b64_json": base64.b64encode(b"whole").decode()}]})

    upstream.on("POST", PATH, route)

    assert generate().images[0].data == b"whole"
    assert [set(one.json()) & {"stream", "partial_images"} for one in upstream.received] == [
        {"stream", "partial_images"},
        set(),
    ]


def test_without_partials_nothing_is_streamed(generate, upstream):
    data = [{"b64_json": base64.b64encode(b"whole").decode()}]
    upstream.answers("POST", PATH, {"data": data})

    generate(partial_images=0)

    assert not {"stream", "partial_images"} & set(upstream.received[0].json())


@pytest.mark.parametrize(
    ("adapter", "path"), [(OpenAIAdapter, "/openai/v1"), (AzureOpenAIAdapter, "/azure_openai")]
)
def test_the_emulators_stream(adapter, path, sandbox_url, make_call, seen):
    call = make_call(
        f"{sandbox_url}{path}",
        upstream_model="gpt-image-1",
        size_param={"size": "1024x1024"},
        partial_images=3,
    )

    result = adapter().generate(replace(call, on_partial=seen.append))

    pictures = [*seen, result.images[0].data]
    assert [data[:4] for data in pictures] == [b"\x89PNG"] * 4
    assert len(set(pictures)) == 4
    assert result.usage is not None
    assert result.usage["output_tokens"] == 1056 + 300
