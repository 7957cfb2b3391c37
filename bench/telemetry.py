"""What logs and spans cost a request, in microseconds: ``python -m bench.telemetry``.

No services are needed. Times are CPU time of this process, the least of several rounds; the sending
of spans is among them, and so is a small collector.
"""

import json
import logging
import os
import threading
import time
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from uuid import uuid4

from core.telemetry import context
from core.telemetry.formats import FIELDS, JsonFormatter
from core.telemetry.redaction import Redactor
from core.telemetry.spans import SpanKind, entry_span, span, traceparent
from core.telemetry.tracing import start_tracing, stop_tracing

ROUNDS = 5
WEB_SPANS = ("authorize", "publish generate.openai", "wait")
WORKER_SPANS = ("claim", "generate_content x", "POST", "check", "S3/PutObject", "settle")


def main() -> None:
    """Print each figure."""
    silent = logging.StreamHandler(open(os.devnull, "w"))  # noqa: SIM115, PTH123 - until the end
    silent.setFormatter(JsonFormatter(process="web", redact=Redactor(["x" * 40] * 8)))
    logging.basicConfig(handlers=[silent], level=logging.INFO)
    figures = {"context": least(work_context), "access_line": least(log_request)}
    figures["spans_off"] = least(trace_request)
    with_collector(figures)
    figures["ratio"] = figures["spans_on"] / figures["spans_off"]
    print(json.dumps({name: round(value, 2) for name, value in figures.items()}))


def work_context() -> None:
    """Do what a request does to the context, log lines or not."""
    context.begin(request_id="req_1")
    context.add(organization_id="1")
    context.conceal("a lighthouse at dusk")
    context.add(generation_id="1")
    context.add(cost="0.042", currency="USD")


def log_request() -> None:
    """Write the line of one request."""
    own = {"method": "POST", "route": "/v1/images/generations", "status": 200, "ms": 812.3}
    logging.getLogger("gateway.api.access").info("request.answered", extra={FIELDS: own})


def trace_request() -> None:
    """Make the spans of one request, in web and in the worker."""
    with entry_span("POST", SpanKind.SERVER) as request:
        for name in WEB_SPANS:
            with span(name, {"lienzo.images": 1}):
                pass
        request.set("http.response.status_code", 200)
        header = {"traceparent": traceparent()}
    with entry_span("generate", SpanKind.CONSUMER, headers=header):
        for name in WORKER_SPANS:
            with span(name) as present:
                present.set("lienzo.images", 1)


def with_collector(figures: dict[str, float]) -> None:
    """Measure the same with spans that are recorded and sent."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Collector)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    url = f"http://127.0.0.1:{server.server_address[1]}"
    tracer = start_tracing(endpoint=url, process="web", version="1", sends_traceparent=False)

    def wait_until_sent() -> None:
        while tracer.losses.waiting:
            time.sleep(0.01)

    # Few enough for the queue.
    figures["spans_on"] = least(trace_request, count=300, after=wait_until_sent)
    stop_tracing()
    figures["lost"] = tracer.losses.dropped + tracer.losses.refused
    server.shutdown()


def least(
    work: Callable[[], None], *, count: int = 2_000, after: Callable[[], None] = lambda: None
) -> float:
    """Return the microseconds of CPU that a call takes, in the best of some rounds."""
    context.begin(request_id=f"req_{uuid4().hex}", organization_id=uuid4(), generation_id=uuid4())
    rounds = []
    for _ in range(ROUNDS):
        started_s = time.process_time()
        for _ in range(count):
            work()
        after()
        rounds.append((time.process_time() - started_s) / count * 1e6)
    return min(rounds)


class _Collector(BaseHTTPRequestHandler):
    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["Content-Length"]))
        self.send_response(200)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_: object) -> None:
        pass


if __name__ == "__main__":
    main()
