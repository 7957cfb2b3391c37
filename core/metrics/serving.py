"""The pages of a process: `/metrics` for Prometheus, `/livez` and `/readyz` for probes."""

import logging
from collections.abc import Callable
from typing import Final

from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4

from core.metrics.health import Ask, Health
from core.metrics.server import MetricsServer, Page

_STANDS_STILL: Final = Page(b"The process stands still.\n", 503)
_FINE: Final = Page(b"ok\n")
logger = logging.getLogger(__name__)


def serve_metrics(
    *, host: str, port: int, render: Callable[[], bytes], health: Health, ask: Ask
) -> MetricsServer | None:
    """Serve a process's metrics and probes beside its work.

    Args:
        host: An address of this machine.
        port: 0 serves nothing. One that is taken is said in the log and tried again: the work goes
            on without.
        render: Returns the metrics as text.
        health: What is wrong with the process.
        ask: Calls the others where they may look at the process's state.
    """
    if not port:
        return None

    def metrics() -> Page:
        text = ask(render)
        if text is None:
            return _STANDS_STILL
        return Page(text, content_type=CONTENT_TYPE_PLAIN_0_0_4)

    server = MetricsServer(
        host,
        port,
        {
            "/metrics": metrics,
            "/livez": lambda: _probe(health.life, ask),
            "/readyz": lambda: _probe(health.service, ask),
        },
    )
    if not server.start():
        logger.error(
            "metrics.port_taken host=%s port=%d: another program has it, so this process shows no"
            " metrics and fails its probes until it is free; set METRICS_PORT to a port of its own",
            host,
            port,
        )
    return server


def _probe(faults: Callable[[], str], ask: Ask) -> Page:
    words = ask(faults)
    if words is None:
        return _STANDS_STILL
    return Page(f"{words}\n".encode(), 503) if words else _FINE
