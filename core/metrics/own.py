"""What a process of one's own, other than gunicorn's, shows."""

from django.conf import settings

from core.metrics.exposition import BUILD_INFO, render
from core.metrics.health import Ask, Health, ask_here
from core.metrics.serving import serve_metrics


def show_process(health: Health, *, ask: Ask = ask_here) -> None:
    """Serve this process's metrics and probes on `METRICS_HOST` and `METRICS_PORT`."""
    BUILD_INFO.labels(settings.VERSION).set(1)
    serve_metrics(
        host=settings.METRICS_HOST,
        port=settings.METRICS_PORT,
        render=render,
        health=health,
        ask=ask,
    )
