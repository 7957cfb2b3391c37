"""Starting and ending what a process tells of itself beside its log."""

from django.conf import settings

from core.telemetry.crashes import flush_logs, log_crashes
from core.telemetry.redaction import process_redactor


def start_telemetry(process: str) -> None:
    """Log what nobody catches, and trace and report where that is switched on.

    Called once by each process, after gevent's patches and after any fork.
    """
    log_crashes()
    if settings.OTEL_EXPORTER_OTLP_ENDPOINT:
        # A tenth of a second and 10 MB, for those who want it.
        from core.telemetry.tracing import start_tracing  # noqa: PLC0415

        start_tracing(
            endpoint=settings.OTEL_EXPORTER_OTLP_ENDPOINT,
            process=process,
            version=settings.VERSION,
            sends_traceparent="tracecontext" in settings.OTEL_PROPAGATORS,
        )
    if settings.SENTRY_DSN:
        from core.telemetry.reports import start_reports  # noqa: PLC0415 - as above

        start_reports(
            dsn=settings.SENTRY_DSN,
            environment=settings.SENTRY_ENVIRONMENT,
            process=process,
            version=settings.VERSION,
            redact=process_redactor(),
        )


def stop_telemetry() -> None:
    """Send what waits to be sent, for a few seconds at most."""
    if settings.OTEL_EXPORTER_OTLP_ENDPOINT:
        from core.telemetry.tracing import stop_tracing  # noqa: PLC0415

        stop_tracing()
    flush_logs()
