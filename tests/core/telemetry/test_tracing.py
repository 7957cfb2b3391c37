from collections.abc import Sequence

import gevent
import pytest
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace.export import SpanExporter, SpanExportResult
from prometheus_client import REGISTRY

from core.telemetry import context
from core.telemetry.spans import NOTHING, SpanKind, entry_span, span, traceparent, tracing
from core.telemetry.tracing import (
    QUEUE_SIZE,
    CountingExporter,
    Losses,
    OpenTelemetryTracer,
    start_tracing,
    stop_tracing,
)
from tests.telemetry.receivers import receiving


def lost(reason: str) -> float:
    return REGISTRY.get_sample_value("lienzo_spans_lost_total", {"reason": reason}) or 0


PARENT = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"


def start(url: str) -> OpenTelemetryTracer:
    return start_tracing(endpoint=url, process="web", version="1", sends_traceparent=False)


@pytest.fixture(autouse=True)
def _none_left():
    yield
    tracing().tracer = None


def test_without_a_collector_nothing_is_recorded() -> None:
    with entry_span("request", SpanKind.SERVER) as request, span("settle") as settling:
        settling.set("a", 1)

    assert (request, settling, traceparent()) == (NOTHING, NOTHING, "")


def test_spans_are_sent_with_their_parents_and_errors() -> None:
    with receiving() as received:
        start(received.url)
        headers = {"traceparent": PARENT}
        carried: list[str] = []

        def settle() -> None:
            with span("settle", {"lienzo.images": 2}):
                work = context.carry(lambda: carried.append(traceparent()))
                gevent.spawn(work).join()
                int("hush")

        with (
            entry_span("request", SpanKind.SERVER, headers=headers) as request,
            pytest.raises(ValueError, match="hush"),
        ):
            settle()
        # Nothing begins by itself below none.
        assert span("alone") is NOTHING
        stop_tracing()

    sent = {one.name: one for one in received.spans}
    assert set(sent) == {"request", "settle"}
    assert sent["request"].trace_id == PARENT.split("-")[1]
    assert sent["request"].parent_id == PARENT.split("-")[2]
    assert sent["settle"].parent_id == sent["request"].span_id
    assert sent["settle"].attributes == {"lienzo.images": 2, "error.type": "ValueError"}
    assert (sent["settle"].is_error, sent["request"].is_error) == (True, False)
    assert carried == [request.traceparent]
    assert b"hush" not in b"".join(received.raw)


def test_what_finds_the_queue_full_is_counted_and_left_out() -> None:
    before = {reason: lost(reason) for reason in ("dropped", "refused", "unsent")}
    # Nobody listens there.
    tracer = start("http://127.0.0.1:9")
    with entry_span("request", SpanKind.SERVER):
        for _ in range(QUEUE_SIZE + 10):
            span("settle").end()
    losses = tracer.losses

    assert losses.waiting <= QUEUE_SIZE
    assert losses.dropped + losses.refused >= 10
    tracer.stop(timeout_s=0.1)
    assert lost("dropped") - before["dropped"] == losses.dropped
    assert lost("refused") - before["refused"] == losses.refused
    assert lost("unsent") - before["unsent"] == losses.waiting > 0


def test_what_an_exporter_breaks_on_is_counted_as_refused() -> None:
    class Broken(SpanExporter):
        def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
            raise ValueError("broken")

    losses, before = Losses(), lost("refused")
    losses.waiting = 3

    with pytest.raises(ValueError, match="broken"):
        CountingExporter(Broken(), losses).export([ReadableSpan("one")] * 3)

    assert (losses.waiting, losses.refused, lost("refused") - before) == (0, 3, 3)


@pytest.mark.parametrize("header", ["", "nonsense", "00-0-0-01", PARENT.replace("0af", "xyz")])
def test_a_broken_header_begins_a_new_trace(header: str) -> None:
    with receiving() as received:
        start(received.url)
        with entry_span("request", SpanKind.SERVER, headers={"traceparent": header}):
            pass
        stop_tracing()

    [sent] = received.spans
    assert sent.parent_id == ""
