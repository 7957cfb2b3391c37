"""Celery's settings.

Clients of the broker must fail fast: with the library's defaults a publish to a frozen Redis had
not returned after 30 seconds, and to a dead RabbitMQ one is tried again for ever. Hence short
time-outs, no retries, and the cool-off in `core.queue`.
"""

import socket
from urllib.parse import urlsplit

from django.conf import settings


def transport_options(url: str) -> dict[str, object]:
    """Return the options of the client of a broker; each of the two knows only its own."""
    if urlsplit(url).scheme in {"amqp", "amqps", "pyamqp"}:
        return {
            "connect_timeout": 1,
            # kombu 5.7 gives a producer its connection by trying for ever, unless told how often.
            "max_retries": 0,
            # Of processes without gevent, as the sweeper and beat: there no other deadline strikes.
            "read_timeout": 2,
            "write_timeout": 2,
            # Celery sends no heartbeats from a gevent pool, so that the kernel must find out that
            # the broker's host has died.
            "socket_settings": {
                number: value
                for name, value in _KEEPALIVE.items()
                if (number := getattr(socket, name, None)) is not None
            },
        }
    return {
        "socket_timeout": 1,
        "socket_connect_timeout": 1,
        "retry_on_timeout": False,
        "visibility_timeout": 3600,
    }


_KEEPALIVE = {"TCP_KEEPIDLE": 10, "TCP_KEEPINTVL": 5, "TCP_KEEPCNT": 3}
broker_url = settings.CELERY_BROKER_URL
broker_transport_options = transport_options(broker_url)
broker_connection_timeout = 1
broker_connection_retry = True
broker_connection_retry_on_startup = True
broker_connection_max_retries = None
broker_pool_limit = 8
task_publish_retry = False
task_ignore_result = True
# Else each task, being a greenlet of its own, would build a result backend that nobody reads.
result_backend_thread_safe = True
task_acks_late = False
task_serializer = "json"
accept_content = ["json"]
task_default_queue = "default"
task_send_sent_event = False
worker_prefetch_multiplier = 1
worker_enable_remote_control = False
worker_send_task_events = False
worker_hijack_root_logger = False
worker_cancel_long_running_tasks_on_connection_loss = False
# Celery's own, which says when it last moved.
beat_scheduler = "config.metrics.beat:WatchedScheduler"
timezone = "UTC"
enable_utc = True
