import base64
import time

import pytest

from gateway.providers import errors
from gateway.providers.gemini import GeminiAdapter
from tests.core.http.upstream import PROMPTLY_S, Upstream
from tests.gateway.providers.conftest import KEY, MakeCall

IMAGEN = "imagen-4.0-generate-001"
FLASH = "gemini-2.5-flash-image"
PATHS = {
    IMAGEN: f"/v1beta/models/{IMAGEN}:predict",
    FLASH: f"/v1beta/models/{FLASH}:generateContent",
}
MODELS = [IMAGEN, FLASH]
BLOCKED = (
    "Image generation failed with the following error: The prompt could not be submitted."
    " Support codes: 61493863"
)
UNBILLED = "Imagen API is only accessible to billed users at this time."
QUOTA = "You exceeded your current quota, please check your plan and billing details."
GONE = f"models/{IMAGEN} is not found for API version v1beta, or is not supported for predict."


def generate(make_call: MakeCall, upstream: Upstream, model: str, **fields):
    return GeminiAdapter().generate(make_call(upstream.url, upstream_model=model, **fields))


def error(
    code: int, status: str, message: str = "No.", *details: dict[str, object]
) -> dict[str, object]:
    body: dict[str, object] = {"code": code, "message": message, "status": status}
    return {"error": {**body, "details": list(details)} if details else body}


def info(reason: str) -> dict[str, object]:
    return {"@type": "type.googleapis.com/google.rpc.ErrorInfo", "reason": reason}


def retry(delay: object) -> dict[str, object]:
    return {"@type": "type.googleapis.com/google.rpc.RetryInfo", "retryDelay": delay}


INVALID = "INVALID_ARGUMENT"
DENIED = "PERMISSION_DENIED"
FAILED = "FAILED_PRECONDITION"


@pytest.mark.parametrize("model", MODELS)
@pytest.mark.parametrize(
    ("status", "body", "expected", "processed"),
    [
        (400, error(400, INVALID, BLOCKED), errors.ContentRefused, False),
        (400, error(400, INVALID), errors.ProviderRejected, False),
        (400, error(400, INVALID, "Aspect ratio 7:3 is wrong."), errors.ProviderRejected, False),
        (
            400,
            error(400, INVALID, "API key not valid.", info("API_KEY_INVALID")),
            errors.BadCredentials,
            False,
        ),
        (400, error(400, INVALID, "API key expired."), errors.BadCredentials, False),
        (400, error(400, INVALID, UNBILLED), errors.OutOfFunds, False),
        (400, error(400, FAILED, "Please enable billing."), errors.OutOfFunds, False),
        (400, error(400, FAILED, "Precondition check failed."), errors.OutOfFunds, False),
        (
            400,
            error(400, FAILED, "User location is not supported for the API use."),
            errors.BadCredentials,
            False,
        ),
        (400, error(400, INVALID, "The model has been retired."), errors.ModelRetired, False),
        (401, error(401, "UNAUTHENTICATED"), errors.BadCredentials, False),
        (401, b"", errors.BadCredentials, False),
        (403, error(403, DENIED), errors.ModelForbidden, False),
        (403, error(403, DENIED, "No.", info("SERVICE_DISABLED")), errors.ModelForbidden, False),
        (403, error(403, DENIED, "No.", info("BILLING_DISABLED")), errors.OutOfFunds, False),
        (402, error(402, "PAYMENT_REQUIRED"), errors.OutOfFunds, False),
        (404, error(404, "NOT_FOUND", GONE), errors.ModelRetired, False),
        (404, b"<html>Not found</html>", errors.ProviderUnavailable, False),
        (408, b"", errors.ProviderUnavailable, True),
        (409, error(409, "ABORTED"), errors.ProviderUnavailable, True),
        (413, error(413, INVALID), errors.ProviderRejected, False),
        (429, error(429, "RESOURCE_EXHAUSTED", QUOTA), errors.RateLimited, False),
        (429, b"slow down", errors.RateLimited, False),
        (
            429,
            error(429, "RESOURCE_EXHAUSTED", "Your prepayment credits are depleted."),
            errors.OutOfFunds,
            False,
        ),
        (499, error(499, "CANCELLED"), errors.ProviderUnavailable, True),
        (500, error(500, "INTERNAL"), errors.ProviderUnavailable, True),
        (
            503,
            error(503, "UNAVAILABLE", "The model is overloaded."),
            errors.ProviderUnavailable,
            True,
        ),
        (504, error(504, "DEADLINE_EXCEEDED"), errors.ProviderUnavailable, True),
        (502, b"<html>Bad gateway</html>", errors.ProviderUnavailable, True),
        (500, error(500, "INTERNAL", BLOCKED), errors.ProviderUnavailable, True),
        (302, b"", errors.ProviderUnavailable, False),
        (200, error(503, "UNAVAILABLE"), errors.ProviderUnavailable, True),
        (200, error(400, INVALID, BLOCKED), errors.ContentRefused, False),
        (200, {"error": "upstream exploded"}, errors.ProviderUnavailable, True),
    ],
)
def test_failed_answer_is_classified(
    upstream: Upstream,
    make_call: MakeCall,
    model: str,
    status: int,
    body: object,
    expected: type[errors.ProviderError],
    processed: bool,
):
    upstream.answers("POST", PATHS[model], body, status=status)

    with pytest.raises(errors.ProviderError) as raised:
        generate(make_call, upstream, model)

    assert type(raised.value) is expected
    assert raised.value.processed is processed
    assert raised.value.upstream_status == status
    assert len(upstream.received) == 1


def test_refused_prompt_keeps_its_support_codes(upstream: Upstream, make_call: MakeCall):
    upstream.answers("POST", PATHS[IMAGEN], error(400, INVALID, BLOCKED), status=400)

    with pytest.raises(errors.ContentRefused) as raised:
        generate(make_call, upstream, IMAGEN)

    assert raised.value.message == BLOCKED
    assert (raised.value.code, raised.value.upstream_code) == ("content_policy_violation", INVALID)


def test_rejection_names_the_field(upstream: Upstream, make_call: MakeCall):
    violation = {"field": "generation_config", "description": "Cannot find field."}
    details: dict[str, object] = {"@type": "x.BadRequest", "fieldViolations": [violation]}
    message = "Unknown name \"x\" at 'generation_config': Cannot find field. No models found."
    upstream.answers("POST", PATHS[FLASH], error(400, INVALID, message, details), status=400)

    with pytest.raises(errors.ProviderRejected) as raised:
        generate(make_call, upstream, FLASH)

    assert (raised.value.param, raised.value.upstream_code) == ("generation_config", INVALID)
    assert raised.value.message == message


@pytest.mark.parametrize(
    ("details", "headers", "seconds"),
    [
        ([retry("34s")], {}, 34.0),
        ([{"violations": []}, retry("34.074824224s")], {"Retry-After": "9"}, 34.074824224),
        ([], {"Retry-After": "7"}, 7.0),
        ([retry("soon")], {}, None),
        ([retry(None), "junk"], {}, None),
        ([], {}, None),
    ],
)
def test_rate_limit_passes_the_advice_on(
    upstream: Upstream,
    make_call: MakeCall,
    details: list[dict[str, object]],
    headers: dict[str, str],
    seconds: float | None,
):
    body = error(429, "RESOURCE_EXHAUSTED", QUOTA, *details)
    upstream.answers("POST", PATHS[IMAGEN], body, status=429, headers=headers)

    with pytest.raises(errors.RateLimited) as raised:
        generate(make_call, upstream, IMAGEN)

    assert raised.value.retry_after_s == seconds


def ended(finish: str, **more: object) -> dict[str, object]:
    return {"candidates": [{"content": {}, "finishReason": finish, "index": 0, **more}]}


@pytest.mark.parametrize(
    ("body", "reason", "processed"),
    [
        ({"promptFeedback": {"blockReason": "SAFETY"}}, "SAFETY", False),
        ({"promptFeedback": {"blockReason": "OTHER"}, "candidates": []}, "OTHER", False),
        (ended("IMAGE_SAFETY", finishMessage="Unsafe."), "IMAGE_SAFETY", True),
        (ended("IMAGE_PROHIBITED_CONTENT"), "IMAGE_PROHIBITED_CONTENT", True),
        (ended("IMAGE_RECITATION"), "IMAGE_RECITATION", True),
        (ended("NO_IMAGE"), "NO_IMAGE", True),
        (ended("SAFETY", content={"parts": [{"text": "I cannot."}]}), "SAFETY", True),
        (ended("PROHIBITED_CONTENT"), "PROHIBITED_CONTENT", True),
    ],
)
def test_refusal_of_gemini_is_recognized(
    upstream: Upstream, make_call: MakeCall, body: dict[str, object], reason: str, processed: bool
):
    upstream.answers("POST", PATHS[FLASH], {**body, "responseId": "resp-9"})

    with pytest.raises(errors.ContentRefused) as raised:
        generate(make_call, upstream, FLASH)

    assert (raised.value.code, raised.value.upstream_code) == ("content_policy_violation", reason)
    assert raised.value.processed is processed
    assert (raised.value.upstream_status, raised.value.upstream_request_id) == (200, "resp-9")


@pytest.mark.parametrize(
    ("model", "body"),
    [
        (IMAGEN, b""),
        (IMAGEN, b"<html>hello</html>"),
        (IMAGEN, b"[]"),
        (IMAGEN, {"predictions": 5}),
        (IMAGEN, {"predictions": [{}]}),
        (IMAGEN, {"predictions": ["aW1n"]}),
        (IMAGEN, {"predictions": [{"bytesBase64Encoded": ""}]}),
        (IMAGEN, {"predictions": [{"bytesBase64Encoded": "&&&"}]}),
        (IMAGEN, {"predictions": [{"mimeType": "image/png", "gcsUri": "gs://b/x.png"}]}),
        (FLASH, b""),
        (FLASH, b"[]"),
        (FLASH, {}),
        (FLASH, {"candidates": []}),
        (FLASH, {"candidates": "none"}),
        (FLASH, {"candidates": [{}]}),
        (FLASH, ended("STOP")),
        (FLASH, ended("MAX_TOKENS")),
        (FLASH, ended("IMAGE_OTHER")),
        (FLASH, ended("STOP", content={"parts": [{"text": "Here it is!"}]})),
        (FLASH, ended("STOP", content={"parts": [{"inlineData": {"data": "&&&"}}]})),
        (FLASH, ended("STOP", content={"parts": [{"inlineData": {}}, "junk"]})),
        (
            FLASH,
            ended("STOP", content={"parts": [{"inlineData": {"data": "aW1n"}, "thought": True}]}),
        ),
    ],
)
def test_answer_without_an_image_is_a_bad_response(
    upstream: Upstream, make_call: MakeCall, model: str, body: object
):
    upstream.answers("POST", PATHS[model], body)

    with pytest.raises(errors.BadResponse) as raised:
        generate(make_call, upstream, model)

    assert raised.value.processed is True
    assert raised.value.upstream_status == 200


@pytest.mark.parametrize("model", MODELS)
def test_closed_port_is_unavailable_and_not_processed(make_call: MakeCall, model: str):
    with pytest.raises(errors.ProviderUnavailable) as raised:
        GeminiAdapter().generate(make_call("http://127.0.0.1:1", upstream_model=model))

    assert raised.value.processed is False


@pytest.mark.parametrize("model", MODELS)
def test_cut_connection_is_unavailable_and_maybe_processed(
    upstream: Upstream, make_call: MakeCall, model: str
):
    def cut(exchange):
        exchange.raw(b"HTTP/1.1 200 OK\r\nContent-Length: 5000\r\n\r\n{")
        exchange.drop()

    for route in (lambda exchange: exchange.drop(), cut):
        upstream.on("POST", PATHS[model], route)
        with pytest.raises(errors.ProviderUnavailable) as raised:
            generate(make_call, upstream, model)
        assert raised.value.processed is True
    assert len(upstream.received) == 2


@pytest.mark.parametrize("model", MODELS)
def test_silence_and_drip_end_at_the_deadline(upstream: Upstream, make_call: MakeCall, model: str):
    def drip(exchange):
        exchange.raw(b"HTTP/1.1 200 OK\r\nContent-Length: 500000\r\n\r\n")
        exchange.drip(bytes(200), every_s=0.05)

    for route in (lambda exchange: exchange.hang(), drip):
        upstream.on("POST", PATHS[model], route)
        started = time.monotonic()
        with pytest.raises(errors.ProviderTimedOut) as raised:
            generate(make_call, upstream, model, seconds=0.5)
        assert raised.value.processed is True
        assert 0.4 < time.monotonic() - started < PROMPTLY_S


def test_body_waits_for_the_permit_until_the_deadline(upstream: Upstream, make_call: MakeCall):
    encoded = base64.b64encode(bytes(500_000)).decode()
    upstream.answers("POST", PATHS[IMAGEN], {"predictions": [{"bytesBase64Encoded": encoded}]})
    call = make_call(upstream.url, upstream_model=IMAGEN, seconds=0.4)
    call.permit._semaphore.acquire()

    with pytest.raises(errors.ProviderTimedOut) as raised:
        GeminiAdapter().generate(call)

    assert raised.value.processed is True
    assert not call.permit.held


def test_resume_is_refused(make_call: MakeCall):
    with pytest.raises(errors.ProviderUnavailable) as raised:
        GeminiAdapter().resume(make_call("http://127.0.0.1:1"), "id")

    assert raised.value.processed is True


def test_key_is_not_shown(upstream: Upstream, make_call: MakeCall):
    call = make_call(upstream.url, upstream_model=IMAGEN)
    upstream.answers("POST", PATHS[IMAGEN], b"", status=401)

    with pytest.raises(errors.BadCredentials) as raised:
        GeminiAdapter().generate(call)

    assert KEY not in repr(call)
    assert KEY not in str(raised.value)
