"""The two formats of a log's lines. Both say the same and are redacted alike."""

import logging
import re
import traceback
from collections.abc import Mapping
from datetime import UTC, datetime
from types import TracebackType
from typing import Final

import orjson

from core.telemetry import context
from core.telemetry.redaction import Redactor

# A line's own fields, beside those of the work: `logger.info("event", extra={FIELDS: {...}})`. They
# are written as they are, so nothing that a caller or a provider has written may be among them.
FIELDS: Final = "fields"
_EVENT: Final = re.compile(r"[a-z][a-z0-9_]*(?:\.[a-z][a-z0-9_]*)+(?= |$)")
# Tabs apart: what could end a line or hide one.
_CONTROLS: Final = re.compile(r"[\x00-\x08\x0a-\x1f\x7f\x85\u2028\u2029\ud800-\udfff]")
# A stack is cut at its beginning: what broke is at its end.
_STACK_LONGEST: Final = 12_000

ExcInfo = tuple[type[BaseException], BaseException, TracebackType | None]


class RedactedFormatter(logging.Formatter):
    """What both formats share. `process` is what the process is: web, worker and so on."""

    def __init__(self, *, process: str, redact: Redactor) -> None:
        super().__init__()
        self._process = process
        self._redact = redact

    def message_of(self, record: logging.LogRecord) -> tuple[str, str]:
        """Return the name of the event, empty where the line is a library's, and the message.

        The name is ours, and stays even where a prompt is a word of it.
        """
        text = _message(record)
        request = getattr(record, "request", None)
        path, match = getattr(request, "path", None), getattr(request, "resolver_match", None)
        if path and len(path) > 1:
            # Django names it; in the console it may carry the token of an invitation.
            text = text.replace(path, "[path]" if match is None else f"/{match.route}")
        found = _EVENT.match(text)
        event = found[0] if found else ""
        return event, event + self._redact(text[len(event) :])

    def stack_of(self, record: logging.LogRecord) -> str:
        """Return the traceback, and nothing of a line without one."""
        info = exception_of(record)
        text = "" if info is None else "".join(traceback.format_exception(*info)).rstrip()
        if record.stack_info:
            text = f"{text}\n{record.stack_info}".lstrip()
        return self._redact.whole(text)[-_STACK_LONGEST:] if text else ""


class LineFormatter(RedactedFormatter):
    """One line for people, and the traceback below it."""

    def format(self, record: logging.LogRecord) -> str:
        """Return the line."""
        _, message = self.message_of(record)
        fields = {**context.fields(), **_own_fields(record)}
        told = "".join(
            f" {name}={value}"
            for name, value in fields.items()
            if value is not None and f" {name.removesuffix('_id')}=" not in message
        )
        head = (
            f"{self.formatTime(record)} {record.levelname} {record.process} {record.name} {message}"
        )
        stack = self.stack_of(record)
        return _CONTROLS.sub(_escaped, head + told) + (f"\n{stack}" if stack else "")


class JsonFormatter(RedactedFormatter):
    """One JSON object for machines."""

    def format(self, record: logging.LogRecord) -> str:
        """Return the object, on one line."""
        event, message = self.message_of(record)
        moment = datetime.fromtimestamp(record.created, UTC)
        line: dict[str, object] = {
            "time": moment.isoformat(timespec="milliseconds").replace("+00:00", "Z"),
            "level": record.levelname,
            "logger": record.name,
            "message": message,
            "process": self._process,
            "pid": record.process,
            **context.fields(),
            **_own_fields(record),
        }
        if event:
            line["event"] = event
        info = exception_of(record)
        if info is not None:
            line["exception"] = {
                "type": info[0].__qualname__,
                "message": self._redact(str(info[1])),
                "stack": self.stack_of(record),
            }
        try:
            return orjson.dumps(line, default=str).decode()
        except TypeError:
            # Halves of a pair of UTF-16, which are no text.
            return orjson.dumps(_as_text(line), default=str).decode()


def exception_of(record: logging.LogRecord) -> ExcInfo | None:
    """Return the exception of a record, if it has one."""
    info = record.exc_info
    return info if isinstance(info, tuple) and info[0] is not None else None


def _message(record: logging.LogRecord) -> str:
    try:
        return record.getMessage()
    except (TypeError, ValueError, KeyError):
        # A mistake of who logs; what it was about must not be lost, nor the arguments be shown.
        return f"{record.msg} [arguments do not fit]"


def _own_fields(record: logging.LogRecord) -> Mapping[str, object]:
    own = getattr(record, FIELDS, None)
    return own if isinstance(own, Mapping) else {}


def _escaped(found: re.Match[str]) -> str:
    return found[0].encode("unicode_escape").decode("ascii")


def _as_text(value: object) -> object:
    if isinstance(value, str):
        return value.encode("utf-8", "backslashreplace").decode()
    if isinstance(value, Mapping):
        return {name: _as_text(one) for name, one in value.items()}
    return value
