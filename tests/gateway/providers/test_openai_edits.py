"""Edits and variations over OpenAI's protocol: the form that is sent, and what comes back."""

import base64
import json
import os
import threading
import tracemalloc
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest

from gateway.providers import errors
from gateway.providers.azure_openai import AzureOpenAIAdapter
from gateway.providers.base import InputImage
from gateway.providers.openai import OpenAIAdapter
from gateway.types import Operation
from tests.core.http.upstream import Upstream
from tests.gateway.providers.conftest import KEY, MakeCall
from tests.gateway.providers.inputs import Endless, is_whole, parts_of, sent, sha256, texts_of

EDITS = "/v1/images/edits"
VARIATIONS = "/v1/images/variations"
USAGE = {"input_tokens": 600, "output_tokens": 1056, "total_tokens": 1656}
DONE = {"data": [{"b64_json": base64.b64encode(b"whole").decode()}], "usage": USAGE}
MB = 1_000_000


@pytest.fixture
def seen() -> list[bytes]:
    return []


@pytest.fixture
def edit(upstream: Upstream, make_call: MakeCall, seen: list[bytes]):
    def edit(**fields):
        given = {
            "upstream_model": "gpt-image-1.5",
            "operation": Operation.EDIT,
            "inputs": [sent(b"image")],
            **fields,
        }
        call = make_call(f"{upstream.url}/v1", **given)
        return OpenAIAdapter().generate(replace(call, on_partial=seen.append))

    return edit


def test_an_edit_is_a_form_with_texts_before_files(edit, upstream: Upstream):
    first, second, mask = os.urandom(300_000), os.urandom(200_000), os.urandom(1_000)
    upstream.answers("POST", EDITS, DONE, headers={"x-request-id": "req_1"})

    result = edit(
        prompt="ein Fuchs 狐",
        n=2,
        size_param={"size": "1024x1024"},
        quality="high",
        background="opaque",
        moderation="low",
        output_format="jpeg",
        output_compression=80,
        input_fidelity="high",
        user="u1",
        inputs=[sent(first), sent(second, "jpeg")],
        mask=sent(mask),
    )

    (request,) = upstream.received
    assert [image.data for image in result.images] == [b"whole"]
    assert (result.usage, result.upstream_request_id) == (USAGE, "req_1")
    assert request.headers["authorization"] == f"Bearer {KEY}"
    assert request.headers["content-length"] == str(len(request.body))
    parts = [(name, file, kind, sha256(data)) for name, file, kind, data in parts_of(request)]
    texts = {
        "model": "gpt-image-1.5",
        "prompt": "ein Fuchs 狐",
        "n": "2",
        "size": "1024x1024",
        "quality": "high",
        "background": "opaque",
        "output_format": "jpeg",
        "output_compression": "80",
        "input_fidelity": "high",
        "user": "u1",
    }
    assert sorted(parts[: len(texts)]) == sorted(
        (name, None, "text/plain", sha256(text.encode())) for name, text in texts.items()
    )
    assert parts[len(texts) :] == [
        ("image[]", "image-1.png", "image/png", sha256(first)),
        ("image[]", "image-2.jpg", "image/jpeg", sha256(second)),
        ("mask", "mask.png", "image/png", sha256(mask)),
    ]


def test_one_image_goes_without_brackets_and_dall_e_gets_its_own_fields(edit, upstream: Upstream):
    upstream.answers("POST", EDITS, DONE)

    edit(upstream_model="dall-e-2", quality="standard", output_format="png", user="u")

    (request,) = upstream.received
    assert parts_of(request)[-1] == ("image", "image.png", "image/png", b"image")
    assert texts_of(request) == {
        "model": "dall-e-2",
        "prompt": "a cat",
        "n": "1",
        "response_format": "b64_json",
        "user": "u",
    }


def test_a_variation_has_an_image_and_no_prompt(edit, upstream: Upstream):
    upstream.answers("POST", VARIATIONS, DONE)

    edit(upstream_model="dall-e-2", operation=Operation.VARIATION, size_param={"size": "512x512"})

    (request,) = upstream.received
    assert set(texts_of(request)) == {"model", "n", "size", "response_format"}
    assert parts_of(request)[-1] == ("image", "image.png", "image/png", b"image")


def test_azure_gets_the_form_at_the_deployment(upstream: Upstream, make_call: MakeCall):
    path = "/openai/deployments/gpt-image-1/images/edits"
    upstream.answers("POST", path, DONE)
    call = make_call(
        upstream.url,
        upstream_model="gpt-image-1",
        operation=Operation.EDIT,
        inputs=[sent(b"one"), sent(b"two")],
    )

    assert AzureOpenAIAdapter().generate(call).images[0].data == b"whole"

    (request,) = upstream.received
    assert request.headers["api-key"] == KEY
    assert request.query == "api-version=2025-04-01-preview"
    assert [part[0] for part in parts_of(request)] == ["prompt", "n", "image[]", "image[]"]


def test_an_edit_streams_its_partial_images(edit, upstream: Upstream, seen: list[bytes]):
    def event(kind: str, data: bytes, **more: object) -> bytes:
        name = f"image_edit.{kind}"
        body = {"type": name, "b64_json": base64.b64encode(data).decode(), **more}
        return f"event: {name}\ndata: {json.dumps(body)}\n\n".encode()

    def route(exchange):
        exchange.raw(b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n")
        exchange.raw(b"Connection: close\r\n\r\n" + event("partial_image", b"half"))
        exchange.raw(event("completed", b"whole", usage=USAGE))
        exchange.drop()

    upstream.on("POST", EDITS, route)

    result = edit(partial_images=1)

    assert (seen, result.images[0].data, result.usage) == ([b"half"], b"whole", USAGE)
    texts = texts_of(upstream.received[0])
    assert (texts["stream"], texts["partial_images"]) == ("true", "1")


def test_a_server_that_refuses_to_stream_gets_the_images_again(edit, upstream: Upstream):
    def route(exchange):
        if "stream" in texts_of(exchange.request):
            error = {"message": "No.", "param": "stream", "type": "invalid_request_error"}
            exchange.reply({"error": error}, status=400)
        else:
            exchange.reply(DONE)

    upstream.on("POST", EDITS, route)
    image, mask = os.urandom(100_000), os.urandom(1_000)

    assert edit(partial_images=2, inputs=[sent(image)], mask=sent(mask)).images

    first, second = upstream.received
    assert {"stream", "partial_images"} == set(texts_of(first)) - set(texts_of(second))
    for request in (first, second):
        assert [part[3] for part in parts_of(request)[-2:]] == [image, mask]


def test_an_image_that_cannot_be_read_is_no_fault_of_the_upstream(edit, upstream: Upstream):
    upstream.answers("POST", EDITS, DONE)

    with pytest.raises(errors.InputUnavailable) as raised:
        edit(inputs=[sent(b"whole"), sent(os.urandom(2 * MB), breaks=True)])

    assert raised.value.processed is False
    assert not any(is_whole(one) for one in upstream.received)


@pytest.mark.parametrize(
    ("status", "error", "kind"),
    [
        (400, {"code": "moderation_blocked"}, errors.ContentRefused),
        (400, {"code": "invalid_image_file", "param": "image"}, errors.ProviderRejected),
        (400, {"code": "invalid_input_fidelity_model"}, errors.ProviderRejected),
        (413, {"code": "image_file_too_large"}, errors.ProviderRejected),
        (429, {"code": "rate_limit_exceeded"}, errors.RateLimited),
        (404, {"code": "model_not_found"}, errors.ModelRetired),
        (500, {}, errors.ProviderUnavailable),
    ],
)
def test_a_failed_edit_is_classified(edit, upstream: Upstream, status, error, kind):
    body = {"error": {"message": "No.", "type": "image_generation_user_error", **error}}
    upstream.answers("POST", EDITS, body, status=status)

    with pytest.raises(errors.ProviderError) as raised:
        edit()

    assert type(raised.value) is kind


class _Counter(BaseHTTPRequestHandler):
    """Counts a body without keeping it."""

    def do_POST(self) -> None:
        left = total = int(self.headers["Content-Length"])
        while left:
            left -= len(self.rfile.read1(min(left, 65_536)))
        body = json.dumps({**DONE, "received": total}).encode()
        self.server.counted.append(total)  # type: ignore[attr-defined]
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002
        """Keep the tests' output clean."""


def test_large_images_pass_through_little_memory(make_call: MakeCall):
    server = HTTPServer(("127.0.0.1", 0), _Counter)
    server.counted = []  # type: ignore[attr-defined]
    thread = threading.Thread(target=server.handle_request, daemon=True)
    thread.start()
    image = InputImage(source=Endless(40 * MB), content_type="image/png", width=1, height=1)
    call = make_call(
        f"http://127.0.0.1:{server.server_port}/v1",
        seconds=60.0,
        upstream_model="gpt-image-2",
        operation=Operation.EDIT,
        inputs=[image] * 5,
    )
    tracemalloc.start()
    try:
        assert OpenAIAdapter().generate(call).images
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
        thread.join(5)
        server.server_close()

    assert server.counted[0] > 200 * MB  # type: ignore[attr-defined]
    assert peak < 4 * MB
