"""What a serving process refuses to start with."""

import resource
from collections.abc import Callable

import pytest
from celery.utils.dispatch import Signal
from django.core.exceptions import ImproperlyConfigured
from django.db import OperationalError, connection
from gunicorn.arbiter import Arbiter

from config.celery import needed
from config.gunicorn import on_starting
from config.startup import UnpatchedProcessError, start_worker_process
from core.postgres.migrations import require_migrated

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def kept_connection(monkeypatch: pytest.MonkeyPatch) -> None:
    """Keep the connection whose transaction the test is in."""
    monkeypatch.setattr(connection, "close", lambda: None)


def test_a_database_of_this_release_or_a_later_one_is_served():
    require_migrated()
    with connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO django_migrations (app, name, applied)"
            " VALUES ('gateway', '9999_later', now())"
        )

    require_migrated()


def test_a_database_that_lacks_a_migration_is_refused_with_its_name():
    with connection.cursor() as cursor:
        cursor.execute("DELETE FROM django_migrations WHERE name = '0022_margin_sums'")

    with pytest.raises(
        ImproperlyConfigured, match=r"lacks 1 migrations .* gateway\.0022_margin_sums"
    ):
        require_migrated()


def test_a_worker_whose_database_is_away_ends_instead_of_idling():
    started = Signal()

    @started.connect
    @needed
    def register(**_: object) -> None:
        raise OperationalError("nobody listens")

    with pytest.raises(SystemExit) as ended:
        started.send(sender=None)

    assert ended.value.code == 1


def start_worker() -> None:
    with pytest.raises(UnpatchedProcessError):
        start_worker_process()


def start_web() -> None:
    on_starting(Arbiter.__new__(Arbiter))


@pytest.mark.parametrize("start", [start_web, start_worker])
def test_a_serving_process_takes_all_the_files_it_may_have(start: Callable[[], None]):
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (1024, hard))
    try:
        start()
        raised, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))

    assert raised == (65_536 if hard == resource.RLIM_INFINITY else min(65_536, hard))
