"""Recording spans with OpenTelemetry, and sending them over OTLP.

Imported only where tracing is switched on. Sending is done by one thread, a greenlet where gevent
has patched the process, so it is started after any fork. Its queue is bounded: what finds it full,
and what the collector did not take, is counted and left out.
"""

import logging
import threading
import time
from collections.abc import Mapping, Sequence
from contextvars import Token
from types import TracebackType
from typing import Final, Self

from opentelemetry import trace
from opentelemetry.context import Context
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import OTELResourceDetector, Resource
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExporter, SpanExportResult
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator
from prometheus_client import Counter

from core.telemetry.spans import CURRENT, NOTHING, Attributes, Span, SpanKind, Value, tracing

# Bounds memory: a span is about 2 KB.
QUEUE_SIZE: Final = 4096
# Encoding is the process's own work: 25 ms of it for the library's 512 would hold all others up.
BATCH_SIZE: Final = 64
FLUSH_S: Final = 5.0
_COMPLAIN_EVERY_S: Final = 60.0
_KINDS: Final = {kind: trace.SpanKind[kind.name] for kind in SpanKind}
_FAILED: Final = trace.Status(trace.StatusCode.ERROR)
SPANS_LOST: Final = Counter(
    "lienzo_spans_lost", "Spans that did not reach the collector.", ["reason"]
)
logger = logging.getLogger(__name__)


class Losses:
    """Counts spans that wait to be sent, and says once a minute how many were lost."""

    def __init__(self) -> None:
        self.waiting = 0
        self.dropped = 0
        self.refused = 0
        self._told_s = float("-inf")
        # Made here, so that both are shown as 0 before the first is lost.
        self._dropped, self._refused = map(SPANS_LOST.labels, ("dropped", "refused"))

    def drop(self) -> None:
        """Count one that found the queue full."""
        self.dropped += 1
        self._dropped.inc()
        self._complain()

    def refuse(self, count: int) -> None:
        """Count some that the collector did not take."""
        self.refused += count
        self._refused.inc(count)
        self._complain()

    def leave(self) -> None:
        """Count those that still wait when the process stops."""
        SPANS_LOST.labels("unsent").inc(self.waiting)
        logger.warning("tracing.unsent spans=%d", self.waiting)

    def _complain(self) -> None:
        moment = time.monotonic()
        if moment - self._told_s >= _COMPLAIN_EVERY_S:
            self._told_s = moment
            logger.warning(
                "tracing.lost dropped=%d refused=%d: OTEL_EXPORTER_OTLP_ENDPOINT is slow, away or"
                " refuses them; work goes on without",
                self.dropped,
                self.refused,
            )


class BoundedProcessor(BatchSpanProcessor):
    """The library's, but the newest span gives way where its queue is full, and is counted."""

    def __init__(self, exporter: "CountingExporter", losses: Losses) -> None:
        super().__init__(exporter, max_queue_size=QUEUE_SIZE, max_export_batch_size=BATCH_SIZE)
        self._losses = losses

    def on_end(self, span: ReadableSpan) -> None:
        """Take a span that has ended."""
        if span.context is None or not span.context.trace_flags.sampled:
            return
        if self._losses.waiting >= QUEUE_SIZE:
            self._losses.drop()
            return
        self._losses.waiting += 1
        super().on_end(span)


class CountingExporter(SpanExporter):
    """Sends by another exporter, and counts what that did not get rid of."""

    def __init__(self, exporter: SpanExporter, losses: Losses) -> None:
        self._exporter = exporter
        self._losses = losses

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        """Send spans."""
        result = SpanExportResult.FAILURE
        try:
            result = self._exporter.export(spans)
        finally:
            # Also where the exporter raises, which the library only logs.
            self._losses.waiting -= len(spans)
            if result is not SpanExportResult.SUCCESS:
                self._losses.refuse(len(spans))
        return result

    def shutdown(self) -> None:
        """Send no more."""
        self._exporter.shutdown()


class RecordedSpan(Span):
    """A span of OpenTelemetry's; the present one while it is entered."""

    __slots__ = ("_entry", "_recorded", "_token")

    def __init__(self, recorded: trace.Span, entry: Span | None) -> None:
        self._recorded = recorded
        self._entry = entry
        self._token: Token[Span] | None = None

    @property
    def recorded(self) -> trace.Span:
        """Return OpenTelemetry's span."""
        return self._recorded

    @property
    def entry(self) -> Span:
        """Return the span with which the trace came into this process."""
        return self._entry or self

    @property
    def traceparent(self) -> str:
        """Return the header of that name."""
        found = self._recorded.get_span_context()
        return f"00-{found.trace_id:032x}-{found.span_id:016x}-{found.trace_flags:02x}"

    @property
    def trace_id(self) -> str | None:
        """Return the trace's id in hex digits."""
        return f"{self._recorded.get_span_context().trace_id:032x}"

    def set(self, name: str, value: Value | None) -> None:
        """Set an attribute."""
        if value is not None:
            self._recorded.set_attribute(name, value)

    def rename(self, name: str) -> None:
        """Give the span another name."""
        self._recorded.update_name(name)

    def note(self, event: str) -> None:
        """Note an instant."""
        self._recorded.add_event(event)

    def fail(self, kind: str) -> None:
        """Say that it failed."""
        self._recorded.set_attribute("error.type", kind)
        self._recorded.set_status(_FAILED)

    def end(self, *, at_ns: int | None = None) -> None:
        """End it, and be the present one no more."""
        if self._token is not None:
            CURRENT.reset(self._token)
            self._token = None
        self._recorded.end(at_ns)

    def __enter__(self) -> Self:
        self._token = CURRENT.set(self)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """End it; of an exception only the class is told, as its message could be anything."""
        if kind is not None:
            self.fail(kind.__qualname__)
        self.end()


class OpenTelemetryTracer:
    """Makes spans by OpenTelemetry's SDK, which reads its own `OTEL_*` variables.

    Args:
        endpoint: A collector's base URL.
        process: What this process is; its traces are the service `lienzo-<process>`.
        version: Of this software.
        sends_traceparent: Whether providers are told of the trace.
    """

    def __init__(
        self, *, endpoint: str, process: str, version: str, sends_traceparent: bool
    ) -> None:
        self.sends_traceparent = sends_traceparent
        self.losses = Losses()
        resource = Resource(
            {
                "service.namespace": "lienzo",
                "service.name": f"lienzo-{process}",
                "service.version": version,
            }
        )
        # At exit nothing is waited for: `stop` has its own time.
        self._provider = TracerProvider(
            resource=resource.merge(OTELResourceDetector().detect()), shutdown_on_exit=False
        )
        exporter = OTLPSpanExporter(endpoint=f"{endpoint.rstrip('/')}/v1/traces")
        counting = CountingExporter(exporter, self.losses)
        self._provider.add_span_processor(BoundedProcessor(counting, self.losses))
        self._tracer = self._provider.get_tracer("lienzo", version)
        self._propagator = TraceContextTextMapPropagator()

    def start(
        self,
        name: str,
        kind: SpanKind,
        attributes: Attributes | None,
        *,
        parent: Span | Mapping[str, str] | None,
        link: str,
        started_ns: int | None,
    ) -> Span:
        """Return a new span."""
        context, entry = Context(), None
        if isinstance(parent, RecordedSpan):
            context, entry = trace.set_span_in_context(parent.recorded, context), parent.entry
        elif isinstance(parent, Mapping):
            context = self._propagator.extract(parent, context)
        recorded = self._tracer.start_span(
            name, context, _KINDS[kind], attributes, self._links(link), started_ns
        )
        return RecordedSpan(recorded, entry)

    def _links(self, traceparent: str) -> Sequence[trace.Link]:
        """Return a link to a span of somebody else's trace; none to what is no such header."""
        if not traceparent:
            return ()
        context = self._propagator.extract({"traceparent": traceparent}, Context())
        theirs = trace.get_current_span(context).get_span_context()
        return (trace.Link(theirs),) if theirs.is_valid else ()

    def stop(self, timeout_s: float = FLUSH_S) -> None:
        """Send what waits, for so long at most."""
        # The library's own wait cannot be bounded.
        stopper = threading.Thread(target=self._provider.shutdown, daemon=True)
        stopper.start()
        stopper.join(timeout_s)
        if self.losses.waiting:
            self.losses.leave()


def start_tracing(
    *, endpoint: str, process: str, version: str, sends_traceparent: bool
) -> OpenTelemetryTracer:
    """Trace from now on; once in a process, after any fork."""
    tracer = OpenTelemetryTracer(
        endpoint=endpoint, process=process, version=version, sends_traceparent=sends_traceparent
    )
    tracing().tracer = tracer
    return tracer


def stop_tracing() -> None:
    """Trace no more, and send what waits."""
    tracer = tracing().tracer
    tracing().tracer = None
    CURRENT.set(NOTHING)
    if isinstance(tracer, OpenTelemetryTracer):
        tracer.stop()
