import time

import pytest

from gateway.providers import errors
from gateway.providers.xai import XAIAdapter
from tests.core.http.upstream import PROMPTLY_S, Upstream
from tests.gateway.providers.conftest import MakeCall

PATH = "/v1/images/generations"
INVALID = "Client specified an invalid argument"
FORBIDDEN = "The caller does not have permission to execute the specified operation"
NO_CREDITS = (
    "Your team t has either used all available credits or reached its monthly spending limit."
)


def native(message: str, code: str = INVALID, **more: object) -> dict[str, object]:
    return {"code": code, "error": message, **more}


def nested(message: str, code: str | None = None, param: str | None = None) -> dict[str, object]:
    return {"error": {"message": message, "type": "error", "param": param, "code": code}}


def generate(make_call: MakeCall, upstream: Upstream, **fields):
    fields = {"upstream_model": "grok-imagine-image", **fields}
    return XAIAdapter().generate(make_call(f"{upstream.url}/v1", **fields))


@pytest.mark.parametrize(
    ("status", "body", "expected", "processed"),
    [
        (400, native("Argument not supported: size", "400"), errors.ProviderRejected, False),
        (400, nested("n is too large", param="n"), errors.ProviderRejected, False),
        (400, b"", errors.ProviderRejected, False),
        (422, b"Failed to deserialize the JSON body", errors.ProviderRejected, False),
        (400, native("Incorrect API key provided: xa***y."), errors.BadCredentials, False),
        (401, native("No API key", "Unauthenticated"), errors.BadCredentials, False),
        (401, b"", errors.BadCredentials, False),
        (403, native(NO_CREDITS, FORBIDDEN), errors.OutOfFunds, False),
        (403, native("You have run out of credits", "***"), errors.OutOfFunds, False),
        (403, native("Team t is blocked", FORBIDDEN), errors.ModelForbidden, False),
        (403, b"", errors.ModelForbidden, False),
        (402, b"", errors.OutOfFunds, False),
        (404, native("The model m does not exist"), errors.ModelRetired, False),
        (404, nested("Not found", "model_not_found"), errors.ModelRetired, False),
        (400, native("Model not found: grok-9-image"), errors.ModelRetired, False),
        (429, native("Too many requests", "exhausted"), errors.RateLimited, False),
        (429, b"slow down", errors.RateLimited, False),
        (429, native(NO_CREDITS, "exhausted"), errors.OutOfFunds, False),
        (408, b"", errors.ProviderUnavailable, True),
        (500, native("internal error", "Internal"), errors.ProviderUnavailable, True),
        (503, native("content policy service is down"), errors.ProviderUnavailable, True),
        (502, b"<html>Bad gateway</html>", errors.ProviderUnavailable, True),
        (200, native("upstream exploded", "Internal"), errors.ProviderUnavailable, True),
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
    upstream.answers("POST", PATH, body, status=status, headers={"x-request-id": "x-7"})

    with pytest.raises(errors.ProviderError) as raised:
        generate(make_call, upstream)

    assert type(raised.value) is expected
    assert raised.value.processed is processed
    assert raised.value.upstream_status == status
    assert raised.value.upstream_request_id == "x-7"
    assert len(upstream.received) == 1


KEPT = "Generated image rejected by content moderation."


@pytest.mark.parametrize(
    ("status", "body", "processed"),
    [
        (400, native("Content violates usage guidelines."), False),
        (400, nested("Your prompt violates our content policy."), False),
        (400, native("No.", "content_policy_violation"), False),
        (403, native("Failed check: SAFETY_CHECK_TYPE_BIO", FORBIDDEN), False),
        (400, native(KEPT, usage={"cost_in_usd_ticks": 200_000_000}), True),
        (400, native(KEPT, usage={"cost_in_usd_ticks": 0}), False),
        (200, native(KEPT), True),
    ],
)
def test_refusal_is_recognized_by_its_words(
    upstream: Upstream, make_call: MakeCall, status: int, body: object, processed: bool
):
    upstream.answers("POST", PATH, body, status=status)

    with pytest.raises(errors.ContentRefused) as raised:
        generate(make_call, upstream)

    assert raised.value.code == "content_policy_violation"
    assert raised.value.processed is processed


@pytest.mark.parametrize(
    ("body", "param"),
    [
        (native("Argument not supported: size", "400"), "size"),
        (native("Argument not supported on this model: quality"), "quality"),
        (nested("n is too large", param="n"), "n"),
        (native("Something else"), None),
    ],
)
def test_rejection_names_the_parameter(
    upstream: Upstream, make_call: MakeCall, body: object, param: str | None
):
    upstream.answers("POST", PATH, body, status=400)

    with pytest.raises(errors.ProviderRejected) as raised:
        generate(make_call, upstream)

    assert raised.value.param == param


@pytest.mark.parametrize(("headers", "seconds"), [({"retry-after": "7"}, 7.0), ({}, None)])
def test_rate_limit_passes_the_advice_on(
    upstream: Upstream, make_call: MakeCall, headers: dict[str, str], seconds: float | None
):
    upstream.answers("POST", PATH, native("Too many"), status=429, headers=headers)

    with pytest.raises(errors.RateLimited) as raised:
        generate(make_call, upstream)

    assert raised.value.retry_after_s == seconds


def test_closed_port_is_unavailable_and_not_processed(make_call: MakeCall):
    with pytest.raises(errors.ProviderUnavailable) as raised:
        XAIAdapter().generate(make_call("http://127.0.0.1:1/v1"))

    assert raised.value.processed is False


def test_cut_connection_is_unavailable_and_maybe_processed(upstream: Upstream, make_call: MakeCall):
    upstream.on("POST", PATH, lambda exchange: exchange.drop())

    with pytest.raises(errors.ProviderUnavailable) as raised:
        generate(make_call, upstream)

    assert raised.value.processed is True
    assert len(upstream.received) == 1


def test_silence_and_drip_end_at_the_deadline(
    upstream: Upstream, images: Upstream, make_call: MakeCall
):
    def drip(exchange):
        exchange.raw(b"HTTP/1.1 200 OK\r\nContent-Length: 500000\r\n\r\n")
        exchange.drip(bytes(200), every_s=0.05)

    images.on("GET", "/a.jpeg", drip)
    link = {"data": [{"url": f"{images.url}/a.jpeg"}]}
    for route in (lambda exchange: exchange.hang(), drip, lambda exchange: exchange.reply(link)):
        upstream.on("POST", PATH, route)
        started = time.monotonic()
        with pytest.raises(errors.ProviderTimedOut) as raised:
            generate(make_call, upstream, seconds=0.5)
        assert raised.value.processed is True
        assert 0.4 < time.monotonic() - started < PROMPTLY_S


def test_resume_is_refused(make_call: MakeCall):
    with pytest.raises(errors.ProviderUnavailable) as raised:
        XAIAdapter().resume(make_call("http://127.0.0.1:1/v1"), "id")

    assert raised.value.processed is True
