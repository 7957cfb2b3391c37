"""A platform of the tests' own in which all is well, and what its sweeper exposes of it."""

import os
from collections.abc import Iterator, Mapping
from datetime import timedelta
from typing import Any
from uuid import uuid4

import psycopg
import pytest
from django.db import connections, transaction
from django.db.backends.postgresql.base import DatabaseWrapper
from psycopg.sql import SQL, Identifier
from pytest_django import DjangoDbBlocker

from core.clock import now
from gateway.models import Process
from gateway.services.operations.checks import SWEEPER, TASKS, note_pass
from tests.alerts.exposed import expose_platform
from tests.alerts.timeline import State, system
from tests.templates import create_database


class Platform:
    """What the database of a platform says, as its sweeper exposes it."""

    def expose(self) -> str:
        """Return the sweeper's exposition, read now."""
        return expose_platform()

    def mail_age_s(self) -> float:
        """Return how long mail has waited, as a rule sees it."""
        name = "lienzo_mail_age_seconds "
        (line,) = (one for one in self.expose().splitlines() if one.startswith(name))
        return float(line.removeprefix(name))

    def state(self) -> State:
        """Return what the sweeper answers now, and of all others that they do."""
        return system("", sweeper=self.expose())


def begin() -> None:
    """Let web and worker live, and sweeper and worker have worked."""
    for number, kind in enumerate(("web", "worker")):
        Process.objects.create(
            kind=kind,
            host="host",
            pid=number,
            started_ticks=number,
            started_at=now(),
            heartbeat_at=now() + timedelta(hours=1),
        )
    for name in (SWEEPER, TASKS):
        note_pass(name=name, started_at=now(), finished_at=now())


@pytest.fixture(scope="session")
def platform_database() -> Iterator[str]:
    """Return the name of a database as `bootstrap` leaves it, with nothing of other tests."""
    name = f"alerts_{uuid4().hex}"
    create_database(name, os.environ)
    yield name
    with psycopg.connect(os.environ["DATABASE_URL"], autocommit=True) as session:
        session.execute(SQL("DROP DATABASE {} WITH (FORCE)").format(Identifier(name)))


@pytest.fixture
def platform_connection(
    platform_database: str, django_db_blocker: DjangoDbBlocker
) -> Iterator[None]:
    """Access to that database with real commits; what is written must leave all well."""
    previous = connections["default"]
    settings: Mapping[str, Any] = {**previous.settings_dict, "NAME": platform_database}
    # Django keeps pools by alias: this connection must not come from the other's.
    options = {name: value for name, value in settings["OPTIONS"].items() if name != "pool"}
    with django_db_blocker.unblock():
        connections["default"] = DatabaseWrapper({**settings, "OPTIONS": options}, "default")
        try:
            yield
        finally:
            connections["default"].close()
            connections["default"] = previous


@pytest.fixture
def platform(platform_connection: None) -> Iterator[Platform]:
    """A platform whose changes are undone after the test."""
    with transaction.atomic():
        begin()
        yield Platform()
        transaction.set_rollback(True)
