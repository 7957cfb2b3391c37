"""How each process logs: Django's processes by settings, gunicorn's own lines by its settings.

Nothing of Django is imported: gunicorn's master reads this before its workers are patched.
"""

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

from core.telemetry.formats import JsonFormatter, LineFormatter, RedactedFormatter
from core.telemetry.redaction import process_redactor

FORMATS: Final = ("line", "json")
LEVELS: Final = ("DEBUG", "INFO", "WARNING", "ERROR")


def logging_settings(*, log_format: str, level: str) -> dict[str, Any]:
    """Return the configuration for `logging.config.dictConfig`."""
    return {
        "version": 1,
        "disable_existing_loggers": False,
        "formatters": {"chosen": {"()": formatter, "log_format": log_format}},
        "handlers": {"stderr": {"class": "logging.StreamHandler", "formatter": "chosen"}},
        "root": {"handlers": ["stderr"], "level": level},
        "loggers": {
            # 4xx are answers, not incidents.
            "django.request": {"level": "ERROR"},
            "botocore": {"level": "WARNING"},
            # What it loses is counted and told by `core.telemetry.tracing`.
            "opentelemetry": {"level": "CRITICAL"},
            "urllib3": {"level": "WARNING"},
            # It tells of every idle connection above the pool's size that it closes.
            "urllib3.connectionpool": {"level": "ERROR"},
            # Both set up handlers of their own, unless told otherwise.
            "gunicorn.error": {"handlers": [], "level": "WARNING", "propagate": True},
            "celery": {"handlers": [], "level": "WARNING", "propagate": True},
        },
    }


def formatter(log_format: str) -> RedactedFormatter:
    """Return this process's formatter."""
    chosen = JsonFormatter if log_format == "json" else LineFormatter
    return chosen(
        process=process_kind(sys.orig_argv),
        redact=process_redactor(),
    )


def process_kind(command: Sequence[str]) -> str:
    """Return what the process that was started by a command is.

    See `embedded.processes.process_table`; any other is a `command`.
    """
    words = [Path(word).name for word in command]
    if "gunicorn" in words:
        return "web"
    if "celery" in words:
        return next((word for word in ("worker", "beat") if word in words), "command")
    if "config.dispatcher" in words:
        return "dispatcher"
    return "sweeper" if "sweep" in words else "command"
