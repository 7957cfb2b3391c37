import logging
from collections.abc import Iterator

import pytest
import sentry_sdk

from core.telemetry import context
from core.telemetry.redaction import Redactor
from core.telemetry.reports import ReportHandler, start_reports
from tests.telemetry.receivers import Received, receiving

logger = logging.getLogger("gateway.x")


@pytest.fixture
def received() -> Iterator[Received]:
    root = logging.getLogger()
    with receiving() as book:
        start_reports(
            dsn=book.sentry_dsn,
            environment="test",
            process="worker",
            version="1.2.3",
            redact=Redactor(["secret-of-mine"]),
        )
        yield book
        sentry_sdk.init()
        for handler in [one for one in root.handlers if isinstance(one, ReportHandler)]:
            root.removeHandler(handler)


def flush() -> None:
    for handler in logging.getLogger().handlers:
        handler.flush()


def test_a_crash_is_reported_with_its_ids_and_without_secrets(received: Received) -> None:
    hushed = "a fox under the moon"
    with context.working_on(generation_id="g1", cost="0.1"):
        context.conceal(hushed)
        try:
            int(f"{hushed} secret-of-mine lz_sk_live_abcdef")
        except ValueError:
            logger.exception("worker.run_crashed prompt=%s", hushed)
    flush()

    [report] = received.reports
    [error] = report["exception"]["values"]
    assert error["type"] == "ValueError"
    assert error["value"] == "invalid literal for int() with base 10: '[prompt] [secret] [key]'"
    assert report["logentry"]["message"] == "worker.run_crashed prompt=[prompt]"
    assert report["tags"] == {"generation_id": "g1", "process": "worker"}
    assert (report["release"], report["environment"]) == ("lienzo@1.2.3", "test")
    assert not any("vars" in frame for frame in error["stacktrace"]["frames"])
    sent = b"".join(received.raw)
    assert [text for text in (b"fox under", b"secret-of-mine", b"abcdef") if text in sent] == []


def test_what_was_foreseen_is_not_reported(received: Received) -> None:
    logger.error("routing.sold_at_a_loss model=x")
    try:
        int("x")
    except ValueError:
        logger.warning("worker.look_failed", exc_info=True)
    flush()

    assert received.reports == []
