"""Celery's settings.

Redis clients must fail fast: with the library's defaults a publish to a frozen server had not
returned after 30 seconds. Hence short socket timeouts, no retries, and the cool-off in
`core.queue`.
"""

from django.conf import settings

broker_url = settings.CELERY_BROKER_URL
broker_transport_options = {
    "socket_timeout": 1,
    "socket_connect_timeout": 1,
    "retry_on_timeout": False,
    "visibility_timeout": 3600,
}
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
