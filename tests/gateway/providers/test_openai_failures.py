import base64
import time

import pytest

from gateway.providers import errors
from gateway.providers.openai import OpenAIAdapter
from tests.core.http.files import no_files_left
from tests.core.http.upstream import PROMPTLY_S, Upstream
from tests.gateway.providers.conftest import KEY, MakeCall

PATH = "/v1/images/generations"


def encoded(data: bytes) -> str:
    return base64.b64encode(data).decode()


def generate(make_call: MakeCall, upstream: Upstream, **fields):
    fields = {"upstream_model": "gpt-image-2", **fields}
    return OpenAIAdapter().generate(make_call(f"{upstream.url}/v1", **fields))


def error(
    code: str | None = None,
    kind: str = "invalid_request_error",
    param: str | None = None,
    message: str = "No.",
    **more: object,
) -> dict[str, object]:
    return {"error": {"message": message, "type": kind, "param": param, "code": code, **more}}


def test_a_call_for_which_no_file_is_left_is_no_fault_of_its_provider(
    upstream: Upstream, make_call: MakeCall
):
    with no_files_left(), pytest.raises(errors.ProviderUnavailable) as raised:
        generate(make_call, upstream)

    assert type(raised.value) is errors.OutOfFiles
    assert raised.value.processed is False
    assert upstream.received == []


USER_ERROR = "image_generation_user_error"
GONE = "The model 'dall-e-3' does not exist."


@pytest.mark.parametrize(
    ("status", "body", "expected", "processed"),
    [
        (400, error("invalid_value", USER_ERROR, "model", GONE), errors.ModelRetired, False),
        (404, error("model_not_found"), errors.ModelRetired, False),
        (403, error("model_not_found"), errors.ModelRetired, False),
        (400, error(message=GONE), errors.ModelRetired, False),
        (400, error("invalid_value", USER_ERROR, "size"), errors.ProviderRejected, False),
        (400, error("unknown_parameter", param="style"), errors.ProviderRejected, False),
        (400, error("billing_hard_limit_reached"), errors.OutOfFunds, False),
        (401, error("invalid_api_key"), errors.BadCredentials, False),
        (401, b"", errors.BadCredentials, False),
        (403, error(), errors.ModelForbidden, False),
        (403, error("unsupported_country_region_territory"), errors.BadCredentials, False),
        (402, error(), errors.OutOfFunds, False),
        (429, error("rate_limit_exceeded", "requests"), errors.RateLimited, False),
        (429, b"slow down", errors.RateLimited, False),
        (429, error("insufficient_quota", "insufficient_quota"), errors.OutOfFunds, False),
        (429, error("project_spend_limit_exceeded"), errors.OutOfFunds, False),
        (500, error(None, "server_error"), errors.ProviderUnavailable, True),
        (503, error(None, "overloaded"), errors.ProviderUnavailable, True),
        (502, b"<html>Bad gateway</html>", errors.ProviderUnavailable, True),
        (404, b"<html>Not found</html>", errors.ProviderUnavailable, False),
        (302, b"", errors.ProviderUnavailable, False),
        (500, error(message=GONE), errors.ProviderUnavailable, True),
        (200, error("rate_limit_exceeded", "requests"), errors.RateLimited, False),
        (200, error(None, "server_error"), errors.ProviderUnavailable, True),
        (200, error("invalid_value", param="size"), errors.ProviderRejected, False),
        (200, {"error": "upstream exploded"}, errors.ProviderUnavailable, True),
    ],
)
def test_failed_answer_is_classified(
    upstream: Upstream,
    make_call: MakeCall,
    status: int,
    body: object,
    expected: type[errors.ProviderError],
    processed: bool,
):
    upstream.answers("POST", PATH, body, status=status, headers={"x-request-id": "req_7"})

    with pytest.raises(errors.ProviderError) as raised:
        generate(make_call, upstream)

    assert type(raised.value) is expected
    assert raised.value.processed is processed
    assert raised.value.upstream_status == status
    assert raised.value.upstream_request_id == "req_7"
    assert len(upstream.received) == 1


def test_rejection_names_the_parameter(upstream: Upstream, make_call: MakeCall):
    message = "Invalid size '1x1'."
    body = error("invalid_value", USER_ERROR, "size", message)
    upstream.answers("POST", PATH, body, status=400)

    with pytest.raises(errors.ProviderRejected) as raised:
        generate(make_call, upstream)

    assert (raised.value.param, raised.value.upstream_code) == ("size", "invalid_value")
    assert raised.value.message == message


@pytest.mark.parametrize(
    ("body", "code", "details", "processed"),
    [
        (
            error(
                "moderation_blocked",
                USER_ERROR,
                moderation_details={"moderation_stage": "input", "categories": ["violence"]},
            ),
            "moderation_blocked",
            {"moderation_details": {"moderation_stage": "input", "categories": ["violence"]}},
            False,
        ),
        (
            error(
                "moderation_blocked",
                USER_ERROR,
                moderation_details={"moderation_stage": "output", "categories": []},
            ),
            "moderation_blocked",
            {"moderation_details": {"moderation_stage": "output", "categories": []}},
            True,
        ),
        (
            error("moderation_blocked", message="No. safety_violations=[violence, self-harm]."),
            "moderation_blocked",
            {
                "moderation_details": {
                    "moderation_stage": "unknown",
                    "categories": ["violence", "self-harm"],
                }
            },
            True,
        ),
        (error("content_policy_violation"), "content_policy_violation", {}, False),
    ],
)
def test_refusal_keeps_its_code_and_details(
    upstream: Upstream,
    make_call: MakeCall,
    body: object,
    code: str,
    details: object,
    processed: bool,
):
    upstream.answers("POST", PATH, body, status=400)

    with pytest.raises(errors.ContentRefused) as raised:
        generate(make_call, upstream)

    assert (raised.value.code, raised.value.details) == (code, details)
    assert raised.value.processed is processed


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({"Retry-After": "7"}, 7.0),
        ({"retry-after-ms": "1500", "retry-after": "9"}, 1.5),
        ({"Retry-After": "Wed, 21 Oct 2015 07:28:00 GMT"}, 0.0),
        ({"Retry-After": "soon"}, None),
        ({}, None),
    ],
)
def test_rate_limit_passes_the_advice_on(
    upstream: Upstream, make_call: MakeCall, headers: dict[str, str], seconds: float | None
):
    upstream.answers("POST", PATH, error("rate_limit_exceeded"), status=429, headers=headers)

    with pytest.raises(errors.RateLimited) as raised:
        generate(make_call, upstream)

    assert raised.value.retry_after_s == seconds


def test_closed_port_is_unavailable_and_not_processed(make_call: MakeCall):
    with pytest.raises(errors.ProviderUnavailable) as raised:
        OpenAIAdapter().generate(make_call("http://127.0.0.1:1/v1"))

    assert raised.value.processed is False


def test_cut_connection_is_unavailable_and_maybe_processed(upstream: Upstream, make_call: MakeCall):
    upstream.on("POST", PATH, lambda exchange: exchange.drop())

    with pytest.raises(errors.ProviderUnavailable) as raised:
        generate(make_call, upstream)

    assert raised.value.processed is True
    assert len(upstream.received) == 1


def test_silence_and_drip_end_at_the_deadline(upstream: Upstream, make_call: MakeCall):
    def drip(exchange):
        exchange.raw(b"HTTP/1.1 200 OK\r\nContent-Length: 500000\r\n\r\n")
        exchange.drip(bytes(200), every_s=0.05)

    for route in (lambda exchange: exchange.hang(), drip):
        upstream.on("POST", PATH, route)
        started = time.monotonic()
        with pytest.raises(errors.ProviderTimedOut) as raised:
            generate(make_call, upstream, seconds=0.5)
        assert raised.value.processed is True
        assert 0.4 < time.monotonic() - started < PROMPTLY_S


def test_body_waits_for_the_permit_until_the_deadline(upstream: Upstream, make_call: MakeCall):
    upstream.answers("POST", PATH, {"data": [{"b64_json": encoded(bytes(500_000))}]})
    call = make_call(f"{upstream.url}/v1", seconds=0.4)
    call.permit._semaphore.acquire()

    with pytest.raises(errors.ProviderTimedOut) as raised:
        OpenAIAdapter().generate(call)

    assert raised.value.processed is True
    assert not call.permit.held


def test_resume_is_refused(make_call: MakeCall):
    with pytest.raises(errors.ProviderUnavailable):
        OpenAIAdapter().resume(make_call("http://127.0.0.1:1/v1"), "id")


def test_key_is_not_shown(make_call: MakeCall):
    assert KEY not in repr(make_call("http://127.0.0.1:1/v1"))
