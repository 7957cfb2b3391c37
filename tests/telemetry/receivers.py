"""A collector of traces and a server for reports of errors, as small as their protocols allow."""

import gzip
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import (
    ExportTraceServiceRequest,
    ExportTraceServiceResponse,
)


@dataclass
class SentSpan:
    """A span as it was sent.

    Attributes:
        service: The process it is of.
        links: Trace, span and state of each that it points to.
    """

    name: str
    service: str
    trace_id: str
    span_id: str
    parent_id: str
    kind: int
    start_ns: int
    end_ns: int
    attributes: dict[str, Any]
    is_error: bool
    links: list[tuple[str, str, str]]


@dataclass
class Received:
    """What has come in, in order."""

    url: str = ""
    spans: list[SentSpan] = field(default_factory=list)
    reports: list[dict[str, Any]] = field(default_factory=list)
    # Whole bodies: what must not be in any of them is looked for here.
    raw: list[bytes] = field(default_factory=list)

    @property
    def sentry_dsn(self) -> str:
        return f"{self.url.replace('://', '://public@')}/42"

    def in_trace(self, trace_id: str) -> dict[str, SentSpan]:
        """Return the spans of a trace by their ids."""
        return {one.span_id: one for one in list(self.spans) if one.trace_id == trace_id}


@contextmanager
def receiving() -> Iterator[Received]:
    """Serve on a free port for a while."""
    received = Received()

    class Handler(_Handler):
        book = received

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    received.url = f"http://127.0.0.1:{server.server_address[1]}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    try:
        yield received
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


class _Handler(BaseHTTPRequestHandler):
    book: Received

    def do_POST(self) -> None:
        sent = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        if self.headers.get("Content-Encoding") == "gzip":
            sent = gzip.decompress(sent)
        self.book.raw.append(sent)
        answer, kind = b"{}", "application/json"
        if self.path == "/v1/traces":
            assert self.headers["Content-Type"] == "application/x-protobuf"
            self.book.spans.extend(_spans_of(ExportTraceServiceRequest.FromString(sent)))
            answer, kind = (
                ExportTraceServiceResponse().SerializeToString(),
                "application/x-protobuf",
            )
        elif self.path == "/api/42/envelope/":
            self.book.reports.extend(_events_of(sent))
        self.send_response(200)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(answer)))
        self.end_headers()
        self.wfile.write(answer)

    def log_message(self, *_: object) -> None:
        pass


def _spans_of(request: ExportTraceServiceRequest) -> Iterator[SentSpan]:
    for resource in request.resource_spans:
        service = _values(resource.resource.attributes)["service.name"]
        for scope in resource.scope_spans:
            for span in scope.spans:
                yield SentSpan(
                    name=span.name,
                    service=str(service),
                    trace_id=span.trace_id.hex(),
                    span_id=span.span_id.hex(),
                    parent_id=span.parent_span_id.hex(),
                    kind=span.kind,
                    start_ns=span.start_time_unix_nano,
                    end_ns=span.end_time_unix_nano,
                    attributes=_values(span.attributes),
                    is_error=span.status.code == 2,
                    links=[
                        (one.trace_id.hex(), one.span_id.hex(), one.trace_state)
                        for one in span.links
                    ],
                )


def _values(attributes: Any) -> dict[str, Any]:
    return {one.key: getattr(one.value, str(one.value.WhichOneof("value"))) for one in attributes}


def _events_of(envelope: bytes) -> Iterator[dict[str, Any]]:
    """Yield the events of an envelope: a line of headers, then items, each after its own."""
    lines = envelope.split(b"\n")
    for number, line in enumerate(lines[1:], start=1):
        if line.startswith(b'{"type":"event"') or b'"type":"event"' in line[:80]:
            yield json.loads(lines[number + 1])
