"""gunicorn's settings. No preloading: gevent must patch before Django is imported."""

import os
from typing import TYPE_CHECKING

from config.logs.settings import settings_of
from config.metrics.folder import metrics_folder
from embedded.limits import raise_file_limit

if TYPE_CHECKING:
    from gunicorn.arbiter import Arbiter
    from gunicorn.workers.base import Worker

worker_class = "config.gunicorn_worker.EnvelopeWorker"
workers = int(os.environ.get("WEB_PROCESSES", "2"))
worker_connections = 10_000
if "GUNICORN_CMD_ARGS" not in os.environ:
    bind = f"{os.environ.get('HOST', '127.0.0.1')}:{os.environ.get('PORT', '8000')}"
backlog = 4096
keepalive = 75
# A stuck hub is killed after `timeout`; a stopping worker lets the longest deadline (300 s) end.
timeout = 120
graceful_timeout = 310
max_requests = 0
limit_request_line = 8190
forwarded_allow_ips = "127.0.0.1"
accesslog = None
errorlog = "-"
loglevel = "warning"
logconfig_dict = settings_of(os.environ)
preload_app = False
_metrics_host = os.environ.get("METRICS_HOST") or "127.0.0.1"
_metrics_port = int(os.environ.get("METRICS_PORT") or "0")


def on_starting(server: "Arbiter") -> None:
    """Prepare limits and metrics of the workers before the first of them begins."""
    raise_file_limit()
    if _metrics_port:
        # Read by the library when it is first imported, here and in each worker.
        os.environ.update(PROMETHEUS_MULTIPROC_DIR=str(metrics_folder().path))


def when_ready(server: "Arbiter") -> None:
    """Serve the workers' metrics and probes."""
    if _metrics_port:
        from config.metrics.web import web_metrics  # noqa: PLC0415

        web_metrics().serve(server, host=_metrics_host, port=_metrics_port)


def post_fork(server: "Arbiter", worker: "Worker") -> None:
    """Leave the port of the metrics to the master."""
    if _metrics_port:
        from config.metrics.web import web_metrics  # noqa: PLC0415

        web_metrics().leave_to_parent()


def post_worker_init(worker: "Worker") -> None:
    """Check secrets and patches, then announce this process: waiters and adoption rely on it."""
    from config.startup import start_web_process  # noqa: PLC0415

    start_web_process()


def worker_exit(server: "Arbiter", worker: "Worker") -> None:
    """Say that this process is gone, so that its undelivered answers can be adopted at once."""
    from config.startup import stop_web_process  # noqa: PLC0415

    stop_web_process()


def child_exit(server: "Arbiter", worker: "Worker") -> None:
    """Forget what an ended worker no longer has."""
    if _metrics_port:
        from config.metrics.web import web_metrics  # noqa: PLC0415

        web_metrics().forget(int(worker.pid))


def on_exit(server: "Arbiter") -> None:
    """Remove the files of the metrics."""
    if _metrics_port:
        from config.metrics.web import web_metrics  # noqa: PLC0415

        web_metrics().end()
