"""Logging what nobody caught, which would else be written to standard error as it is."""

import logging
import sys
import threading
from types import TracebackType

import gevent

logger = logging.getLogger(__name__)


def log_end() -> None:
    """Log what ends the process, and what breaks where Python can only drop it, from now on."""
    sys.excepthook = _process_crashed
    sys.unraisablehook = _dropped


def log_crashes() -> None:
    """Log what ends the process, a thread or a greenlet, from now on."""
    log_end()
    threading.excepthook = _thread_crashed
    # A greenlet's; gevent has no other place for it.
    gevent.get_hub().print_exception = _greenlet_crashed  # type: ignore[method-assign, assignment] # a function in place of a method


def flush_logs() -> None:
    """Have whatever handles this process's log send what waits."""
    for handler in logging.getLogger().handlers:
        handler.flush()


def _process_crashed(
    kind: type[BaseException], error: BaseException, trace: TracebackType | None
) -> None:
    if issubclass(kind, KeyboardInterrupt):
        sys.__excepthook__(kind, error, trace)
    else:
        logger.critical("process.crashed", exc_info=(kind, error, trace))
        flush_logs()


def _dropped(dropped: "sys.UnraisableHookArgs") -> None:
    if dropped.exc_value is not None:
        trace = (dropped.exc_type, dropped.exc_value, dropped.exc_traceback)
        logger.error("error.dropped", exc_info=trace)


def _thread_crashed(crash: threading.ExceptHookArgs) -> None:
    if crash.exc_value is not None:
        trace = (crash.exc_type, crash.exc_value, crash.exc_traceback)
        logger.error("thread.crashed", exc_info=trace)


def _greenlet_crashed(
    _greenlet: object,
    kind: type[BaseException] | None,
    error: BaseException | str | None,
    trace: TracebackType | None,
) -> None:
    if isinstance(error, BaseException):
        logger.error("greenlet.crashed", exc_info=(type(error), error, trace))
    else:
        logger.error("greenlet.crashed kind=%s", kind)
