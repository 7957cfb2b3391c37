"""How each process logs: Django's processes by settings, gunicorn's own lines by its settings.

Nothing of Django is imported: gunicorn's master reads this before its workers are patched.
"""

import logging
import os
import sys
from collections.abc import Mapping, Sequence
from logging.config import dictConfig
from pathlib import Path
from typing import Any, Final

from core.telemetry.crashes import log_end
from core.telemetry.formats import JsonFormatter, LineFormatter, RedactedFormatter
from core.telemetry.printed import LoggedLines
from core.telemetry.redaction import process_redactor

FORMATS: Final = ("line", "json")
LEVELS: Final = ("DEBUG", "INFO", "WARNING", "ERROR")
# Any process that is none of the product's own.
COMMAND: Final = "command"


def logging_settings(*, log_format: str, level: str) -> dict[str, Any]:
    """Return the configuration for `logging.config.dictConfig`."""
    return {
        "version": 1,
        "disable_existing_loggers": False,
        "formatters": {"chosen": {"()": formatter, "log_format": log_format}},
        "handlers": {
            "stderr": {
                "class": "logging.StreamHandler",
                "formatter": "chosen",
                # Not what `log_everything` puts in its place.
                "stream": "ext://sys.__stderr__",
            }
        },
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


def settings_of(variables: Mapping[str, str]) -> dict[str, Any]:
    """Return the configuration that variables ask for, and the default in place of wrong ones.

    What is wrong with them, Django's settings say.
    """
    log_format, level = variables.get("LOG_FORMAT"), variables.get("LOG_LEVEL")
    return logging_settings(
        log_format=log_format if log_format in FORMATS else FORMATS[0],
        level=level if level in LEVELS else "INFO",
    )


def log_everything() -> None:
    """Have a process log, from its first line on, also what Python and libraries only print.

    That is warnings, what ends the process, and all else that is written to `sys.stderr`. Commands
    are left alone: people read what they print.
    """
    if process_kind(sys.orig_argv) == COMMAND:
        return
    dictConfig(settings_of(os.environ))
    logging.captureWarnings(capture=True)
    # A line that cannot be written has nowhere to be told of.
    logging.raiseExceptions = False
    log_end()
    sys.stderr = LoggedLines()


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
        return next((word for word in ("worker", "beat") if word in words), COMMAND)
    if "config.dispatcher" in words:
        return "dispatcher"
    return "sweeper" if "sweep" in words else COMMAND
