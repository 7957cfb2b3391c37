"""Who decides of a request's trace: this side, unless the operator trusts all callers."""

import pytest
from django.http import HttpRequest, HttpResponse
from django.test import RequestFactory
from pytest_django import Settings

from core.telemetry.spans import tracing
from core.telemetry.tracing import start_tracing, stop_tracing
from gateway.api.tracing import TraceMiddleware
from tests.telemetry.receivers import SentSpan, receiving

TRACE, CALLER = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"


@pytest.fixture(autouse=True)
def _none_left():
    yield
    tracing().tracer = None


def spans_of_a_request(*, flags: str) -> list[SentSpan]:
    """Return what is sent of a request whose caller has a trace with these flags."""
    headers = {"traceparent": f"00-{TRACE}-{CALLER}-{flags}", "tracestate": "somebody=else"}

    def answer(_request: HttpRequest) -> HttpResponse:
        return HttpResponse()

    with receiving() as received:
        start_tracing(endpoint=received.url, process="web", version="1", sends_traceparent=False)
        request = RequestFactory().get("/v1/models", headers=headers)
        TraceMiddleware(answer)(request).close()
        stop_tracing()
    return received.spans


@pytest.mark.parametrize(("flags", "ratio", "sent"), [("00", "1.0", 1), ("01", "0.0", 0)])
def test_callers_do_not_decide_what_is_sampled(
    monkeypatch: pytest.MonkeyPatch, flags: str, ratio: str, sent: int
) -> None:
    monkeypatch.setenv("OTEL_TRACES_SAMPLER", "parentbased_traceidratio")
    monkeypatch.setenv("OTEL_TRACES_SAMPLER_ARG", ratio)

    spans = spans_of_a_request(flags=flags)

    assert len(spans) == sent
    for span in spans:
        assert (span.parent_id, span.links) == ("", [(TRACE, CALLER, "")])
        assert span.trace_id != TRACE


@pytest.mark.parametrize(("flags", "sent"), [("00", 0), ("01", 1)])
def test_trusted_callers_decide(settings: Settings, flags: str, sent: int) -> None:
    settings.TRUST_TRACEPARENT = True

    spans = spans_of_a_request(flags=flags)

    found = [(span.trace_id, span.parent_id, span.links) for span in spans]
    assert found == [(TRACE, CALLER, [])] * sent
