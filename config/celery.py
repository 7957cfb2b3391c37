"""The Celery application: messages only wake workers, so a lost or doubled one changes nothing."""

import functools
import logging
import os
from collections.abc import Callable

from celery.schedules import crontab
from celery.signals import (
    beat_init,
    celeryd_after_setup,
    worker_shutdown,
    worker_shutting_down,
)

from config.logs.celery import QuietCelery

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")

logger = logging.getLogger(__name__)
app = QuietCelery("lienzo")
app.config_from_object("config.celery_settings")
app.autodiscover_tasks(["gateway", "billing"])
app.conf.beat_schedule = {
    # The ECB publishes about 15:00 UTC, Banco de Mexico about 18:00; again in case one failed.
    "fetch exchange rates": {
        "task": "billing.fetch_fx_rates",
        "schedule": crontab(minute="9", hour="4,8,12,15,16,18,19,22"),
        "options": {"expires": 3600},
    },
    "prune idempotency keys": {
        "task": "gateway.prune_idempotency_keys",
        "schedule": crontab(minute="17"),
    },
    "delete orphaned inputs": {
        "task": "gateway.delete_orphaned_inputs",
        "schedule": crontab(minute="7"),
    },
    "enforce retention": {
        "task": "gateway.enforce_retention",
        "schedule": crontab(minute="2"),
    },
    "prune quotes": {
        "task": "gateway.prune_quotes",
        "schedule": crontab(minute="27", hour="3"),
    },
    "prune webhook deliveries": {
        "task": "gateway.prune_webhook_deliveries",
        "schedule": crontab(minute="47", hour="3"),
    },
    "purge organizations": {
        "task": "gateway.purge_organizations",
        "schedule": crontab(minute="57", hour="3"),
    },
    "send alerts": {
        "task": "gateway.send_alerts",
        "schedule": 20.0,
        # Without a worker for a while one message is enough.
        "options": {"expires": 20},
    },
    # Run once: a message that comes after the first finds nothing due.
    "check the ledger": {
        "task": "gateway.check_ledger",
        "schedule": crontab(minute="7,37", hour="4-7"),
        "options": {"expires": 600},
    },
    "charge low wallets": {
        "task": "billing.charge_low_wallets",
        "schedule": 30.0,
        "options": {"expires": 30},
    },
    "reconcile payments": {
        "task": "billing.reconcile_sessions",
        "schedule": 120.0,
        "options": {"expires": 120},
    },
    # Months end at another hour in every time zone.
    "issue statements": {
        "task": "billing.issue_statements",
        "schedule": crontab(minute="22"),
        "options": {"expires": 3600},
    },
    # What a lost message or a dead worker left.
    "make thumbnails": {
        "task": "gateway.make_thumbnails",
        "schedule": 60.0,
        "options": {"queue": "thumbnails", "expires": 60},
    },
    "make and expire exports": {
        "task": "gateway.make_exports",
        "schedule": 60.0,
        "options": {"queue": "thumbnails", "expires": 60},
    },
    "delete expired test generations": {
        "task": "gateway.delete_expired_test_generations",
        "schedule": crontab(minute="37", hour="3"),
    },
}


def needed(prepare: Callable[..., None]) -> Callable[..., None]:
    """Return a receiver of a signal without which a worker must not go on.

    Celery logs what a receiver raises, and goes on: a worker without a lease, as the database did
    not answer, would then take wakes from those that work, and pass for alive.
    """

    @functools.wraps(prepare)
    def prepared(**told: object) -> None:
        try:
            prepare(**told)
        except Exception as error:
            # The outermost edge, as far as Celery lets errors come.
            logger.critical("worker.refused error=%s", error)
            raise SystemExit(1) from error

    return prepared


@celeryd_after_setup.connect
@needed
def prepare_consumer(**_: object) -> None:
    """Set how the queues are consumed, and that this worker looks for work in no others."""
    from core.wakes import generation_queues, take_without_acknowledging  # noqa: PLC0415 - of workers only
    from gateway.worker import worker  # noqa: PLC0415 - needs the apps loaded

    take_without_acknowledging(app, "gateway.generate")
    worker().serve_only(generation_queues(app))


@celeryd_after_setup.connect
def show_worker(**_: object) -> None:
    """Serve the worker's metrics and probes, before it has found the broker."""
    from config.metrics.processes import show_worker as show  # noqa: PLC0415 - needs the apps

    show()


@celeryd_after_setup.connect
@needed
def start_worker(**_: object) -> None:
    """Check the process, take its lease and begin to look for work, with or without a broker."""
    from config.startup import start_worker_process  # noqa: PLC0415 - needs the apps loaded

    start_worker_process()


@beat_init.connect
def show_beat(**_: object) -> None:
    """Serve the metrics and probes of beat."""
    from config.metrics.beat import show_beat as show  # noqa: PLC0415 - of beat only
    from core.readiness import announce_ready  # noqa: PLC0415 - needs the settings

    show()
    announce_ready()


@worker_shutting_down.connect
def stop_claiming(**_: object) -> None:
    """Claim nothing more."""
    from gateway.worker import worker  # noqa: PLC0415 - needs the apps loaded

    worker().stop()


@worker_shutdown.connect
def end_worker(**_: object) -> None:
    """Let running jobs end, then the lease."""
    from config.startup import end_worker_process  # noqa: PLC0415 - needs the apps loaded

    end_worker_process()
