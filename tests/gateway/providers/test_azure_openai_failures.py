import time

import pytest

from gateway.providers import errors
from gateway.providers.azure_openai import AzureOpenAIAdapter
from tests.core.http.upstream import PROMPTLY_S, Upstream
from tests.gateway.providers.conftest import MakeCall

PATH = "/openai/deployments/dall-e-3/images/generations"
USER_ERROR = "image_generation_user_error"
FAILED = "Your task failed as a result of our safety system."
BLOCKED = (
    "Your resource has been temporarily blocked because we detected behavior that may violate our"
    " content policy."
)


def error(code: str | None, message: str = "No.", **more: object) -> dict[str, object]:
    return {"error": {"code": code, "message": message, **more}}


def generate(make_call: MakeCall, upstream: Upstream, **fields):
    fields = {"upstream_model": "dall-e-3", **fields}
    return AzureOpenAIAdapter().generate(make_call(upstream.url, **fields))


@pytest.mark.parametrize(
    ("status", "body", "expected", "processed"),
    [
        (401, error("401", "Access denied"), errors.BadCredentials, False),
        (401, {"statusCode": 401, "message": "Unauthorized."}, errors.BadCredentials, False),
        (403, error("Forbidden", BLOCKED), errors.ModelForbidden, False),
        (404, error("DeploymentNotFound"), errors.ModelRetired, False),
        (404, error("404", "Resource not found"), errors.ModelRetired, False),
        (404, {"statusCode": 404, "message": "Resource not found"}, errors.ModelRetired, False),
        (410, error("ModelDeprecated", "The model is deprecated."), errors.ModelRetired, False),
        (429, error("429", "Please retry after 7 seconds."), errors.RateLimited, False),
        (429, b"", errors.RateLimited, False),
        (429, error("insufficient_quota"), errors.OutOfFunds, False),
        (
            400,
            error("invalid_value", "Invalid size.", type=USER_ERROR, param="size"),
            errors.ProviderRejected,
            False,
        ),
        (500, error("InternalServerError"), errors.ProviderUnavailable, True),
        (503, error(None, "overloaded"), errors.ProviderUnavailable, True),
        (502, b"<html>Bad gateway</html>", errors.ProviderUnavailable, True),
        (408, error("Timeout"), errors.ProviderUnavailable, True),
        (200, error("500", "broken"), errors.ProviderUnavailable, True),
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
    upstream.answers("POST", PATH, body, status=status, headers={"apim-request-id": "a-7"})

    with pytest.raises(errors.ProviderError) as raised:
        generate(make_call, upstream)

    assert type(raised.value) is expected
    assert raised.value.processed is processed
    assert raised.value.upstream_status == status
    assert raised.value.upstream_request_id == "a-7"
    assert len(upstream.received) == 1


DETAILS = {"moderation_stage": "input", "categories": ["violence"]}
INNER = {"code": "ResponsibleAIPolicyViolation", "content_filter_results": {}}


@pytest.mark.parametrize(
    ("status", "body", "code", "upstream_code", "processed"),
    [
        (
            400,
            error("content_policy_violation", inner_error=INNER),
            "content_policy_violation",
            "content_policy_violation",
            False,
        ),
        (400, error(None, inner_error=INNER), "content_policy_violation", None, False),
        (
            400,
            error("content_filter", innererror=INNER),
            "content_policy_violation",
            "content_filter",
            False,
        ),
        (
            400,
            error("moderation_blocked", type=USER_ERROR, moderation_details=DETAILS),
            "moderation_blocked",
            "moderation_blocked",
            False,
        ),
        (
            400,
            error("contentFilter", FAILED),
            "content_policy_violation",
            "contentFilter",
            False,
        ),
        (
            200,
            {"created": 1, **error("contentFilter", FAILED)},
            "content_policy_violation",
            "contentFilter",
            True,
        ),
    ],
)
def test_refusal_is_recognized_by_code_or_inner_code(
    upstream: Upstream,
    make_call: MakeCall,
    status: int,
    body: object,
    code: str,
    upstream_code: str | None,
    processed: bool,
):
    upstream.answers("POST", PATH, body, status=status)

    with pytest.raises(errors.ContentRefused) as raised:
        generate(make_call, upstream)

    assert raised.value.code == code
    assert raised.value.upstream_code == (upstream_code or code)
    assert raised.value.processed is processed
    expected = {"moderation_details": DETAILS} if code == "moderation_blocked" else {}
    assert raised.value.details == expected


def test_rejection_names_the_parameter(upstream: Upstream, make_call: MakeCall):
    upstream.answers("POST", PATH, error("invalid_value", param="size"), status=400)

    with pytest.raises(errors.ProviderRejected) as raised:
        generate(make_call, upstream)

    assert raised.value.param == "size"


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({"retry-after": "7"}, 7.0),
        ({"retry-after-ms": "1500", "retry-after": "9"}, 1.5),
        ({}, None),
    ],
)
def test_rate_limit_passes_the_advice_on(
    upstream: Upstream, make_call: MakeCall, headers: dict[str, str], seconds: float | None
):
    upstream.answers("POST", PATH, error("429"), status=429, headers=headers)

    with pytest.raises(errors.RateLimited) as raised:
        generate(make_call, upstream)

    assert raised.value.retry_after_s == seconds


def test_closed_port_is_unavailable_and_not_processed(make_call: MakeCall):
    with pytest.raises(errors.ProviderUnavailable) as raised:
        AzureOpenAIAdapter().generate(make_call("http://127.0.0.1:1", upstream_model="gpt-image-1"))

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


def test_resume_is_refused(make_call: MakeCall):
    with pytest.raises(errors.ProviderUnavailable) as raised:
        AzureOpenAIAdapter().resume(make_call("http://127.0.0.1:1"), "id")

    assert raised.value.processed is True
