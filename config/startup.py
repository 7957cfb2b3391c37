"""What each serving process does before its first request or task."""

from urllib.parse import urlsplit

from django.conf import settings
from django.core.exceptions import ImproperlyConfigured
from gevent import monkey

from config.settings import check_secrets
from core.metrics.exposition import BUILD_INFO
from core.postgres.migrations import require_migrated
from core.readiness import announce_ready
from core.telemetry.lifecycle import start_telemetry, stop_telemetry
from embedded.limits import raise_file_limit
from gateway.metrics import begin_at_zero
from gateway.services.processes import Kind, current_process
from gateway.services.routing import queues
from gateway.worker import worker

# Longer than the longest deadline of a model.
DRAIN_S = 310.0


class UnpatchedProcessError(ImproperlyConfigured):
    """The process runs without gevent's patches: a wait would stop everything."""


def require_patched() -> None:
    """Check that blocking calls yield.

    Raises:
        UnpatchedProcessError: `threading`, `select` or `ssl` is not patched.
    """
    for module in ("threading", "select", "ssl"):
        if not monkey.is_module_patched(module):
            raise UnpatchedProcessError(f"gevent has not patched {module!r} in this process.")


def require_foreign_upstreams() -> None:
    """Check that no provider's base URL is this server itself, which would call itself for ever.

    Raises:
        ImproperlyConfigured: One is.
    """
    own = {_address(settings.PUBLIC_BASE_URL), (settings.HOST, settings.PORT)}
    for provider, endpoint in settings.PROVIDER_ENDPOINTS.items():
        if endpoint["base_url"] and _address(endpoint["base_url"]) in own:
            raise ImproperlyConfigured(
                f"The base URL of {provider}, {endpoint['base_url']}, is this server's own address."
            )


def start_web_process() -> None:
    """Prepare a web process."""
    start_telemetry("web")
    check_secrets()
    require_foreign_upstreams()
    require_patched()
    require_migrated()
    BUILD_INFO.labels(settings.VERSION).set(1)
    begin_at_zero(queues())
    current_process(Kind.WEB).start()
    announce_ready()


def stop_web_process() -> None:
    """Release a web process's lease."""
    current_process(Kind.WEB).stop()
    stop_telemetry()


def start_worker_process() -> None:
    """Prepare a worker process and begin to look for work."""
    raise_file_limit()
    check_secrets()
    require_foreign_upstreams()
    require_patched()
    require_migrated()
    begin_at_zero(queues())
    worker().start()
    announce_ready()


def end_worker_process() -> None:
    """Wait for the running jobs, then release the lease."""
    worker().wait_until_idle(DRAIN_S)
    worker().end()
    stop_telemetry()


def _address(url: str) -> tuple[str, int]:
    parts = urlsplit(url)
    host = parts.hostname or ""
    return "127.0.0.1" if host == "localhost" else host, parts.port or {"https": 443}.get(
        parts.scheme, 80
    )
