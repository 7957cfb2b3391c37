"""Run the sweeper."""

import logging
import signal
import time
from argparse import ArgumentParser
from types import FrameType
from typing import Any

import psycopg
from django.conf import settings
from django.core.management.base import BaseCommand
from django.db import DatabaseError, connection
from prometheus_client import REGISTRY

from billing.services.alerts import announce_low_balances
from billing.services.budget_alerts import announce_budgets
from billing.services.credits.expiring import expire_grants
from billing.services.reports import account_days
from core.clock import now
from core.metrics.health import Health, Pulse
from core.metrics.own import show_process
from core.postgres.migrations import require_migrated
from core.readiness import announce_ready
from core.telemetry.lifecycle import start_telemetry, stop_telemetry
from gateway.metrics import begin_at_zero
from gateway.services.operations.checks import (
    PLATFORM_EVERY_S,
    SWEEPER,
    check_platform,
    note_pass,
)
from gateway.services.operations.gauges import PlatformCollector
from gateway.services.reports import margin_days
from gateway.services.rollups import BATCH, roll_up
from gateway.services.routing import queues
from gateway.services.runs.recovery import sweep
from gateway.storage import StorageError

# Any fixed number: "lienzo swee" in ASCII, cut to 63 bits.
ADVISORY_LOCK = 0x6C69656E7A6F2073
ROUND_EVERY_S = 2.0
# A longer pause means that this process or the database stood still.
LARGEST_GAP_S = 10.0
COUNT_FOR_S = 2.0
# A round takes seconds, and up to a minute while the storage is silent.
ROUNDS_WITHIN_S = 300.0
ANSWERS_WITHIN_S = 60.0
logger = logging.getLogger(__name__)


class Leadership:
    """A Postgres advisory lock on a connection of its own, held as long as this process lives.

    It only saves work: rounds are idempotent and change each row by compare-and-set, so two leaders
    for a moment do no harm.
    """

    def __init__(self) -> None:
        self._session: psycopg.Connection[Any] | None = None

    def is_held(self) -> bool:
        """Return whether this process is the one that sweeps, taking the lock if it is free."""
        try:
            if self._session is None:
                self._session = psycopg.connect(**connection.get_connection_params())
                self._session.autocommit = True
            row = self._session.execute(
                "SELECT EXISTS (SELECT FROM pg_locks WHERE locktype = 'advisory' AND granted"
                " AND pid = pg_backend_pid()) OR pg_try_advisory_lock(%s)",
                [ADVISORY_LOCK],
            ).fetchone()
        except psycopg.Error as error:
            logger.warning("sweeper.session_lost error=%s", error)
            self._session = None
            return False
        return bool(row and row[0])

    @property
    def sees_database(self) -> bool:
        """Return whether the database answered when it was last asked."""
        return self._session is not None


class Command(BaseCommand):
    help = (
        "Recover, expire and count generations, for ever. Of several sweepers one works at a time."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--once", action="store_true", help="do one round and exit")

    def handle(self, *_: Any, **options: Any) -> None:
        stopping: list[int] = []

        def stop(number: int, _frame: FrameType | None) -> None:
            stopping.append(number)

        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, stop)
        leadership = Leadership()
        self.watching_since = time.monotonic()
        self.last_success = self.watching_since
        self.checked_at = float("-inf")
        self.rounds = Pulse(ROUNDS_WITHIN_S)
        self.answers = Pulse(ANSWERS_WITHIN_S)
        if options["once"]:
            self.round(leadership)
            return
        require_migrated()
        start_telemetry("sweeper")
        self.show()
        announce_ready()
        while not stopping:
            self.round(leadership)
            time.sleep(ROUND_EVERY_S)
        stop_telemetry()

    def show(self) -> None:
        """Serve this process's metrics and probes, and the platform's metrics."""
        begin_at_zero(queues())
        if settings.METRICS_PORT:
            platform = PlatformCollector()
            REGISTRY.register(platform)
            platform.start()
        show_process(
            Health(
                life=lambda: self.rounds.fault("the last round"),
                service=lambda: self.answers.fault("the last round without an error"),
            )
        )

    def round(self, leadership: Leadership) -> None:
        """Sweep once, if no other sweeper is at it; an outage is logged and waited out."""
        try:
            is_leader = leadership.is_held()
            moment = time.monotonic()
            if leadership.sees_database:
                self.watch(moment)
            if is_leader:
                started_at = now()
                changed = sweep(now=started_at, watched_for_s=moment - self.watching_since)
                self.last_success = time.monotonic()
                self.count(until=self.last_success + COUNT_FOR_S)
                announce_low_balances(now=now())
                announce_budgets(now=now())
                note_pass(name=SWEEPER, started_at=started_at, finished_at=now(), found=changed)
                self.look(moment)
            self.answers.beat()
        except (DatabaseError, StorageError) as error:
            logger.warning("sweeper.round_failed error=%s", error)
        finally:
            connection.close()
            self.rounds.beat()

    def watch(self, moment: float) -> None:
        """Note that the database answers: who takes over knows which leases ran out by then."""
        if moment - self.last_success > LARGEST_GAP_S:
            self.watching_since = moment
        self.last_success = moment

    def look(self, moment: float) -> None:
        """Let credit expire, and look for what should not last, once a minute."""
        if moment - self.checked_at >= PLATFORM_EVERY_S:
            self.checked_at = moment
            expire_grants(now=now())
            check_platform(now=now())

    def count(self, *, until: float) -> None:
        """Add facts to the rollups; a long queue of them waits for the next rounds."""
        while roll_up() == BATCH and time.monotonic() < until:
            pass
        while margin_days.count_margins() == margin_days.BATCH and time.monotonic() < until:
            pass
        while account_days.count_postings() == account_days.BATCH and time.monotonic() < until:
            pass
