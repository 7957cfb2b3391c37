"""Databases made once a run and copied by all who need one: migrating costs seconds of CPU each.

Whoever comes first makes them, in the session of an advisory lock, for which the others wait.
"""

import subprocess
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any
from urllib.parse import urlsplit, urlunsplit

import psycopg
from django.db import connections
from django.db.backends.postgresql.base import DatabaseWrapper
from psycopg.sql import SQL, Identifier

from embedded.processes import ROOT, child_environment, preparations

# With all tables and nothing else, and with what `bootstrap` adds.
MIGRATED, PREPARED = "template_migrated", "template_prepared"
_BASES = {MIGRATED: "template1", PREPARED: MIGRATED}
_LOCK = 7_117_001


def on_database(url: str, name: str) -> str:
    """Return the URL of another database on the same server."""
    return urlunsplit(urlsplit(url)._replace(path=f"/{name}"))


def create_database(name: str, environ: Mapping[str, str]) -> None:
    """Create a database as `bootstrap` leaves it."""
    with psycopg.connect(environ["DATABASE_URL"], autocommit=True) as session:
        _make(PREPARED, environ, session)
        _copy(PREPARED, name, session)


def make_migrated(environ: Mapping[str, str]) -> str:
    """Make the database with all tables if nobody has yet; return its name."""
    with psycopg.connect(environ["DATABASE_URL"], autocommit=True) as session:
        _make(MIGRATED, environ, session)
    return MIGRATED


@contextmanager
def working_on(name: str) -> Iterator[None]:
    """Let models, services and commands of this process work on a database, with commits."""
    previous = connections["default"]
    settings: dict[str, Any] = {**previous.settings_dict, "NAME": name}
    # Django keeps pools by alias: this connection must not come from the other's.
    options = settings["OPTIONS"].items()
    settings["OPTIONS"] = {key: value for key, value in options if key != "pool"}
    connections["default"] = DatabaseWrapper(settings, "default")
    try:
        yield
    finally:
        connections["default"].close()
        connections["default"] = previous


def _make(name: str, environ: Mapping[str, str], session: psycopg.Connection) -> None:
    session.execute("SELECT pg_advisory_lock(%s)", [_LOCK])
    try:
        for (template, base), (_, command) in zip(_BASES.items(), preparations(), strict=True):
            if not _exists(template, session):
                _build(template, base, command, environ, session)
            if template == name:
                return
    finally:
        session.execute("SELECT pg_advisory_unlock(%s)", [_LOCK])


def _build(
    name: str,
    base: str,
    command: tuple[str, ...],
    environ: Mapping[str, str],
    session: psycopg.Connection,
) -> None:
    """Build under another name, so that what exists is whole."""
    building = f"{name}_unfinished"
    session.execute(SQL("DROP DATABASE IF EXISTS {}").format(Identifier(building)))
    _copy(base, building, session)
    values = {"DATABASE_URL": on_database(environ["DATABASE_URL"], building)}
    environment = child_environment(environ, values)
    subprocess.run(command, env=environment, cwd=ROOT, check=True)
    statement = SQL("ALTER DATABASE {} RENAME TO {}")
    session.execute(statement.format(Identifier(building), Identifier(name)))


def _exists(name: str, session: psycopg.Connection) -> bool:
    query = "SELECT 1 FROM pg_database WHERE datname = %s"
    return session.execute(query, [name]).fetchone() is not None


def _copy(source: str, name: str, session: psycopg.Connection) -> None:
    statement = SQL("CREATE DATABASE {} TEMPLATE {}")
    session.execute(statement.format(Identifier(name), Identifier(source)))
