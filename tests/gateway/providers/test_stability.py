import base64
import os
import time
from email import message_from_bytes

import pytest

from gateway.providers import errors
from gateway.providers.stability import StabilityAdapter
from tests.core.http.upstream import PROMPTLY_S, Received, Upstream
from tests.gateway.providers.conftest import KEY, MakeCall

SDXL = "stable-diffusion-xl-1024-v1-0"
V1 = f"/s/v1/generation/{SDXL}/text-to-image"
CORE = "/s/v2beta/stable-image/generate/core"
SD3 = "/s/v2beta/stable-image/generate/sd3"
REQUEST_ID = {"x-request-id": "r1"}


def encoded(data: bytes) -> str:
    return base64.b64encode(data).decode()


def artifact(data: bytes, reason: str = "SUCCESS", seed: int = 1) -> dict[str, object]:
    return {"base64": encoded(data), "seed": seed, "finishReason": reason}


def drawn(data: bytes, reason: str = "SUCCESS") -> dict[str, object]:
    return {"image": encoded(data), "finish_reason": reason, "seed": 7}


def fields_of(request: Received) -> dict[str, str]:
    head = f"Content-Type: {request.headers['content-type']}\r\n\r\n".encode()
    fields: dict[str, str] = {}
    for part in list(message_from_bytes(head + request.body).walk())[1:]:
        name, value = (
            part.get_param("name", header="content-disposition"),
            part.get_payload(decode=True),
        )
        assert isinstance(value, bytes)
        assert part.get_filename() is None
        fields[str(name)] = value.decode()
    return fields


def generate(make_call: MakeCall, upstream: Upstream, model: str = "core", **fields):
    call = make_call(f"{upstream.url}/s", **{"upstream_model": model, **fields})
    return StabilityAdapter().generate(call)


def test_v2_sends_a_form_and_returns_the_image(
    upstream: Upstream, make_call: MakeCall, saved: list[str]
):
    data = os.urandom(300_000)
    upstream.answers("POST", CORE, drawn(data), headers=REQUEST_ID)
    call = make_call(
        f"{upstream.url}/s/",
        upstream_model="core",
        prompt='a "cat" 猫\r\n--x',
        size_param={"aspect_ratio": "16:9"},
        quality="high",
        style="vivid",
        background="opaque",
        output_format="webp",
        seed=7,
        user="Zoë\r\nX-Evil: 1",
        extra={"negative_prompt": "dogs"},
    )

    result = StabilityAdapter().generate(call)

    (image,) = result.images
    assert (image.data, image.seed, image.revised_prompt) == (data, 7, None)
    assert (result.upstream_request_id, result.refused) == ("r1", 0)
    assert (result.usage, result.billable_units) == (None, None)
    assert call.permit.held
    assert saved == []
    (request,) = upstream.received
    assert fields_of(request) == {
        "prompt": 'a "cat" 猫\r\n--x',
        "aspect_ratio": "16:9",
        "seed": "7",
        "output_format": "webp",
        "negative_prompt": "dogs",
    }
    assert request.headers["authorization"] == f"Bearer {KEY}"
    assert request.headers["accept"] == "application/json"
    assert request.headers["stability-client-user-id"] == "Zo%C3%AB%0D%0AX-Evil%3A%201"
    assert request.headers["x-extra"] == "route"


@pytest.mark.parametrize("model", ["sd3.5-large", "sd3.5-large-turbo", "sd3.5-medium"])
def test_diffusion_3_names_its_model(upstream: Upstream, make_call: MakeCall, model: str):
    upstream.answers("POST", SD3, drawn(b"image"))

    generate(make_call, upstream, model)

    assert fields_of(upstream.received[0]) == {"prompt": "a cat", "model": model}
    assert "stability-client-user-id" not in upstream.received[0].headers


def test_v1_asks_for_all_images_in_one_call(upstream: Upstream, make_call: MakeCall):
    first, second = os.urandom(200_000), os.urandom(200_000)
    upstream.answers("POST", V1, {"artifacts": [artifact(first, seed=1), artifact(second, seed=2)]})

    result = generate(
        make_call,
        upstream,
        SDXL,
        n=2,
        size_param={"width": 1152, "height": 896},
        seed=0,
        extra={"steps": 30},
    )

    assert [(image.data, image.seed) for image in result.images] == [(first, 1), (second, 2)]
    assert upstream.received[0].json() == {
        "text_prompts": [{"text": "a cat", "weight": 1}],
        "width": 1152,
        "height": 896,
        "samples": 2,
        "seed": 0,
        "steps": 30,
    }


def test_filtered_artifacts_are_counted_and_left_out(upstream: Upstream, make_call: MakeCall):
    upstream.answers(
        "POST",
        V1,
        {
            "artifacts": [
                artifact(b"blurred", "CONTENT_FILTERED"),
                artifact(b"image"),
                artifact(b"broken", "ERROR"),
            ]
        },
    )

    result = generate(make_call, upstream, SDXL, n=3)

    assert [image.data for image in result.images] == [b"image"]
    assert result.refused == 1


@pytest.mark.parametrize(
    ("model", "path", "body"),
    [
        ("core", CORE, drawn(b"blurred", "CONTENT_FILTERED")),
        (SDXL, V1, {"artifacts": [artifact(b"b", "CONTENT_FILTERED"), artifact(b"e", "ERROR")]}),
    ],
)
def test_all_filtered_is_a_refusal_perhaps_charged(
    upstream: Upstream, make_call: MakeCall, model: str, path: str, body: object
):
    upstream.answers("POST", path, body, headers=REQUEST_ID)

    with pytest.raises(errors.ContentRefused) as raised:
        generate(make_call, upstream, model)

    refusal = raised.value
    assert (refusal.code, refusal.upstream_code) == ("content_policy_violation", "CONTENT_FILTERED")
    assert (refusal.processed, refusal.upstream_status) == (True, 200)
    assert refusal.upstream_request_id == "r1"


def test_failed_artifacts_are_unavailable_and_free(upstream: Upstream, make_call: MakeCall):
    upstream.answers("POST", V1, {"artifacts": [artifact(b"", "ERROR")]})

    with pytest.raises(errors.ProviderUnavailable) as raised:
        generate(make_call, upstream, SDXL)

    assert raised.value.processed is False


@pytest.mark.parametrize(
    ("status", "name", "expected"),
    [
        (400, "bad_request", errors.ProviderRejected),
        (400, "invalid_prompts", errors.ContentRefused),
        (401, "unauthorized", errors.BadCredentials),
        (402, "payment_required", errors.OutOfFunds),
        (403, "content_moderation", errors.ContentRefused),
        (403, "forbidden", errors.BadCredentials),
        (404, "not_found", errors.ModelRetired),
        (413, "payload_too_large", errors.ProviderRejected),
        (422, "unprocessable_entity", errors.ProviderRejected),
        (429, "rate_limit_exceeded", errors.RateLimited),
        (500, "internal_error", errors.ProviderUnavailable),
        (503, "", errors.ProviderUnavailable),
        (302, "", errors.ProviderUnavailable),
    ],
)
@pytest.mark.parametrize(("model", "path"), [("core", CORE), (SDXL, V1)])
def test_failure_is_classified(
    upstream: Upstream,
    make_call: MakeCall,
    status: int,
    name: str,
    expected: type[errors.ProviderError],
    model: str,
    path: str,
):
    told = {"errors": ["prompt: No.", "seed: No."]} if path == CORE else {"message": "prompt: No."}
    body: object = {"id": "e1", "name": name, **told} if name else b"<html>"
    upstream.answers("POST", path, body, status=status, headers={"Location": "/elsewhere"})

    with pytest.raises(errors.ProviderError) as raised:
        generate(make_call, upstream, model)

    error = raised.value
    assert type(error) is expected
    assert (error.upstream_status, error.processed) == (status, status >= 500)
    if name and expected is not errors.ContentRefused:
        assert error.upstream_code == name
        assert error.upstream_request_id == "e1"
        assert error.message.startswith("prompt: No.")
    if isinstance(error, errors.ProviderRejected):
        assert error.param == "prompt"
    assert len(upstream.received) == 1


@pytest.mark.parametrize(("headers", "seconds"), [({}, 60.0), ({"Retry-After": "3"}, 3.0)])
def test_rate_limit_waits_as_told_or_as_documented(
    upstream: Upstream, make_call: MakeCall, headers: dict[str, str], seconds: float
):
    upstream.answers("POST", CORE, {"name": "rate_limit_exceeded"}, status=429, headers=headers)

    with pytest.raises(errors.RateLimited) as raised:
        generate(make_call, upstream)

    assert raised.value.retry_after_s == seconds


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"[]",
        b"{",
        {},
        {"artifacts": []},
        {"artifacts": "x"},
        {"artifacts": [1]},
        {"image": None, "finish_reason": "SUCCESS"},
        {"image": "", "finish_reason": "SUCCESS"},
        {"image": "*", "finish_reason": "SUCCESS"},
        drawn(bytes(4_000_001)),
    ],
)
def test_answer_without_a_usable_image_is_a_bad_response(
    upstream: Upstream, make_call: MakeCall, body: object
):
    upstream.answers("POST", CORE, body, headers=REQUEST_ID)

    with pytest.raises(errors.BadResponse) as raised:
        generate(make_call, upstream)

    assert (raised.value.processed, raised.value.upstream_request_id) == (True, "r1")


def test_truncated_answer_is_unavailable_and_processed(upstream: Upstream, make_call: MakeCall):
    def truncated(exchange):
        exchange.raw(b'HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n{"image":"aaaa')
        exchange.drop()

    upstream.on("POST", CORE, truncated)

    with pytest.raises(errors.ProviderUnavailable) as raised:
        generate(make_call, upstream)

    assert raised.value.processed is True
    assert len(upstream.received) == 1


def test_chunked_answer_is_read(upstream: Upstream, make_call: MakeCall):
    def chunked(exchange):
        exchange.raw(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
        for part in (b'{"image":"', encoded(b"image").encode(), b'","finish_reason":"SUCCESS"}'):
            exchange.raw(b"%x\r\n%s\r\n" % (len(part), part))
        exchange.raw(b"0\r\n\r\n")

    upstream.on("POST", CORE, chunked)

    assert generate(make_call, upstream).images[0].data == b"image"


def test_body_over_its_limit_is_not_read(upstream: Upstream, make_call: MakeCall):
    upstream.answers("POST", CORE, b"{}", headers={"Content-Length": str(60_000_000)})

    with pytest.raises(errors.BadResponse):
        generate(make_call, upstream)


def test_silence_ends_at_the_deadline(upstream: Upstream, make_call: MakeCall):
    upstream.on("POST", CORE, lambda exchange: exchange.hang())
    started = time.monotonic()

    with pytest.raises(errors.ProviderTimedOut) as raised:
        generate(make_call, upstream, seconds=0.5)

    assert raised.value.processed is True
    assert 0.4 < time.monotonic() - started < PROMPTLY_S


@pytest.mark.parametrize("model", ["../v1/user", "a/b", "", "core?x"])
def test_engine_name_that_cannot_exist_is_not_called(
    upstream: Upstream, make_call: MakeCall, model: str
):
    with pytest.raises(errors.ModelRetired):
        generate(make_call, upstream, model)

    assert upstream.received == []


def test_closed_port_is_unavailable_and_not_processed(make_call: MakeCall):
    with pytest.raises(errors.ProviderUnavailable) as raised:
        StabilityAdapter().generate(make_call("http://127.0.0.1:1", upstream_model="core"))

    assert raised.value.processed is False


def test_nothing_can_be_resumed(upstream: Upstream, make_call: MakeCall):
    with pytest.raises(errors.ProviderUnavailable) as raised:
        StabilityAdapter().resume(make_call(upstream.url, upstream_model="core"), "x")

    assert raised.value.processed is True
    assert upstream.received == []
