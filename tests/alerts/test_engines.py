"""Alerts on what the platform stands on: database, broker, storage, and its backups."""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from datetime import timedelta
from uuid import uuid4

import psycopg
import pytest
from celery import Celery
from django.db import connections
from django.db.backends.postgresql.base import DatabaseWrapper
from pytest_django import Settings

from config.celery import app
from core import queue
from core.clock import now
from core.queue import send_task
from embedded.ports import choose_ports
from gateway.models import Backup, Check
from gateway.services.keeping.dumping import CHECK, note_backup
from gateway.services.operations.gauges import PlatformCollector
from tests.alerts.conftest import Platform
from tests.alerts.exposed import own_exposition, show
from tests.alerts.timeline import alert, assert_fires, system


def nowhere() -> str:
    """Return an address at which nothing listens."""
    return f"127.0.0.1:{choose_ports(1)[0]}"


@contextmanager
def broker_away() -> Iterator[None]:
    """Let messages go to a broker that does not answer."""
    away = Celery("away")
    away.config_from_object("config.celery_settings")
    away.conf.update(broker_url=f"redis://{nowhere()}/0")
    try:
        away.set_current()
        yield
    finally:
        app.set_current()
        queue._publish_cool_off.cache_clear()


@contextmanager
def database_away() -> Iterator[None]:
    """Look for the database where there is none."""
    previous = connections["default"]
    port = nowhere().partition(":")[2]
    connections["default"] = DatabaseWrapper({**previous.settings_dict, "PORT": port}, "default")
    try:
        yield
    finally:
        connections["default"] = previous


def test_a_database_that_is_away_is_told_of(platform: Platform):
    healthy = platform.state()
    with database_away():
        then = system("", sweeper=show(PlatformCollector()))

    assert_fires(alert("DatabaseDown"), healthy=healthy, then=then, after=2)


def test_a_broker_that_is_away_is_told_of_and_so_are_lost_wakes(platform: Platform):
    healthy, before = platform.state(), own_exposition()
    with broker_away():
        then = platform.state()
        assert not send_task("gateway.generate", "generate.fal")

    assert_fires(alert("BrokerDown"), healthy=healthy, then=then, after=3)
    assert_fires(
        alert("WakesLost"),
        healthy=system("", web=before),
        then=system("", web=own_exposition()),
        after=8,
    )


def test_a_storage_that_is_away_is_told_of(platform: Platform, settings: Settings):
    healthy = platform.state()
    settings.S3_ENDPOINT_URL = f"http://{nowhere()}"

    assert_fires(alert("StorageDown"), healthy=healthy, then=platform.state(), after=2)


def test_a_backup_that_was_not_repeated_is_told_of(platform: Platform):
    moment = now()
    note_backup(
        Backup(
            id=uuid4(),
            started_at=moment,
            snapshot_at=moment,
            finished_at=moment,
            product="1",
            size_bytes=1,
            sha256="0" * 64,
            is_encrypted=False,
        )
    )
    healthy = platform.state()

    Check.objects.filter(name=CHECK).update(finished_at=moment - timedelta(hours=27))

    assert_fires(alert("BackupOld"), healthy=healthy, then=platform.state(), after=12)


@pytest.mark.big
def test_a_database_without_free_connections_is_told_of(platform: Platform):
    healthy = platform.state()
    address = connections["default"].get_connection_params()
    with ExitStack() as sessions:
        session = sessions.enter_context(psycopg.connect(**address))
        row = session.execute("SELECT current_setting('max_connections')::int").fetchone()
        assert row is not None
        for _ in range(int(row[0] * 0.87)):
            sessions.enter_context(psycopg.connect(**address))
        with connections["default"].cursor() as cursor:
            # Else a transaction sees who was connected when it first looked.
            cursor.execute("SELECT pg_stat_clear_snapshot()")
        then = platform.state()

    assert_fires(alert("DatabaseConnectionsHigh"), healthy=healthy, then=then, after=7)
