"""What each serving process does before its first request or task."""

from gateway.services.processes import Kind, current_process
from gateway.worker import worker

from gevent import monkey

from config.settings import check_secrets


# Longer than the longest deadline of a model.
DRAIN_S = 310.0


class UnpatchedProcessError(RuntimeError):
    """The process runs without gevent's patches: a wait would stop everything."""


def require_patched() -> None:
    """Check that blocking calls yield.

    Raises:
        UnpatchedProcessError: `threading`, `select` or `ssl` is not patched.
    """
    for module in ("threading", "select", "ssl"):
        if not monkey.is_module_patched(module):
            raise UnpatchedProcessError(f"gevent has not patched {module!r} in this process.")


def start_web_process() -> None:
    """Prepare a web process."""
    check_secrets()
    require_patched()
    current_process(Kind.WEB).start()


def stop_web_process() -> None:
    """Release a web process's lease."""
    current_process(Kind.WEB).stop()


def start_worker_process() -> None:
    """Prepare a worker process and begin to look for work."""
    check_secrets()
    require_patched()
    worker().start()


def end_worker_process() -> None:
    """Wait for the running jobs, then release the lease."""
    worker().wait_until_idle(DRAIN_S)
    worker().end()
