"""Reporting to Sentry what broke unexpectedly: every line of the log that has an exception.

Only errors are logged with one that nobody foresaw; refusals, failures of providers and outages are
logged without. Imported only where reporting is switched on. Reports are sent by a thread of the
library's, a greenlet where gevent has patched the process; what it cannot send is dropped.
"""

import logging
from collections.abc import Mapping
from typing import Any, Final

import sentry_sdk
from sentry_sdk.types import Event, Hint
from sentry_sdk.utils import event_from_exception

from core.telemetry import context
from core.telemetry.formats import RedactedFormatter, exception_of
from core.telemetry.redaction import Redactor

FLUSH_S: Final = 2.0
# What the library, or a later version of it, may gather of a request or a person.
_DROPPED: Final = ("request", "user", "breadcrumbs", "extra", "modules", "server_name")
_TAGS: Final = (
    "request_id",
    "organization_id",
    "generation_id",
    "attempt_id",
    "provider",
    "delivery_id",
    "trace_id",
)


class ReportHandler(logging.Handler):
    """Reports records with an exception, tagged with what was worked on."""

    def __init__(self, *, process: str, redact: Redactor) -> None:
        super().__init__(logging.ERROR)
        self._process = process
        self._told = RedactedFormatter(process=process, redact=redact)

    def emit(self, record: logging.LogRecord) -> None:
        """Report a record, if it has an exception."""
        info = exception_of(record)
        client = sentry_sdk.get_client()
        if info is None or not client.is_active():
            return
        event, hint = event_from_exception(info, client_options=client.options)
        fields = context.fields()
        tags = {name: str(fields[name]) for name in _TAGS if name in fields}
        event["logger"] = record.name
        event["level"] = "fatal" if record.levelno >= logging.CRITICAL else "error"
        event["logentry"] = {"message": self._told.message_of(record)[1]}
        event["tags"] = {**tags, "process": self._process}
        client.capture_event(event, hint)

    def flush(self) -> None:
        """Send what waits, for a short while."""
        sentry_sdk.get_client().flush(timeout=FLUSH_S)


def start_reports(
    *, dsn: str, environment: str, process: str, version: str, redact: Redactor
) -> None:
    """Report from now on; once in a process, after gevent's patches and after any fork."""

    def scrub(event: Event, _hint: Hint) -> Event:
        kept: Any = {name: value for name, value in event.items() if name not in _DROPPED}
        return _redacted(kept, redact)  # type: ignore[no-any-return] # of the same shape

    sentry_sdk.init(
        dsn=dsn,
        release=f"lienzo@{version}",
        environment=environment,
        # Nothing of a request, a person or a variable is gathered to begin with; `send_default_pii`
        # is off unless set.
        default_integrations=False,
        auto_enabling_integrations=False,
        include_local_variables=False,
        max_request_body_size="never",
        max_breadcrumbs=0,
        auto_session_tracking=False,
        send_client_reports=False,
        shutdown_timeout=FLUSH_S,
        before_send=scrub,
    )
    logging.getLogger().addHandler(ReportHandler(process=process, redact=redact))


def _redacted(value: Any, redact: Redactor) -> Any:  # noqa: ANN401 - JSON
    if isinstance(value, str):
        return redact(value)
    if isinstance(value, Mapping):
        return {name: _redacted(one, redact) for name, one in value.items()}
    if isinstance(value, list | tuple):
        return [_redacted(one, redact) for one in value]
    return value
