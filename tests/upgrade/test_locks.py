"""`migrate` beside transactions that use its tables."""

import os
import subprocess
import sys
from collections.abc import Iterator, Mapping

import psycopg
import pytest

from core.postgres.locks import MIGRATING
from embedded.processes import ROOT, child_environment
from tests.templates import create_database, on_database

# An index of the journal's lines is built by it, which writers have to wait for.
_BEFORE, _LAST = "0024_payouts", "0026_statement_drafts"
_NAME = "upgrade_locks"
pytestmark = pytest.mark.big


@pytest.fixture(scope="module")
def environment() -> Iterator[Mapping[str, str]]:
    """The environment of commands on a database of their own."""
    create_database(_NAME, os.environ)
    values = {"DATABASE_URL": on_database(os.environ["DATABASE_URL"], _NAME)}
    yield child_environment(os.environ, values)
    with psycopg.connect(os.environ["DATABASE_URL"], autocommit=True) as session:
        session.execute(f"DROP DATABASE {_NAME} WITH (FORCE)")


@pytest.fixture
def session(environment: Mapping[str, str]) -> Iterator[psycopg.Connection]:
    """A session on the database, migrated to before the index."""
    done = subprocess.run(_command(_BEFORE), cwd=ROOT, env=dict(environment), check=False)
    assert done.returncode == 0
    with psycopg.connect(environment["DATABASE_URL"], autocommit=True) as found:
        yield found


def test_a_table_in_use_is_left_alone_in_the_end(environment, session):
    with session.transaction():
        session.execute("LOCK TABLE billing_posting IN ROW EXCLUSIVE MODE")
        done = _run(environment, "--lock-tries", "2")

    assert done.returncode == 1
    assert done.stderr.count("trying again") == 1
    assert "in use at every try" in done.stderr
    assert _applied(session) == _BEFORE


def test_a_table_in_use_for_a_while_is_migrated_then(environment, session):
    with session.transaction():
        session.execute("LOCK TABLE billing_posting IN ROW EXCLUSIVE MODE")
        migrating = _start(environment)
        _read_until(migrating, "trying again")

    assert migrating.wait(60) == 0
    assert _applied(session) == _LAST


def test_hosts_migrate_one_after_the_other(environment, session):
    session.execute("SELECT pg_advisory_lock(%s)", [MIGRATING])
    migrating = _start(environment)
    _read_until(migrating, "Waiting for another migration")
    assert _applied(session) == _BEFORE

    session.execute("SELECT pg_advisory_unlock(%s)", [MIGRATING])

    assert migrating.wait(60) == 0
    assert _applied(session) == _LAST


def _command(*arguments: str) -> tuple[str, ...]:
    return (sys.executable, "manage.py", "migrate", "--no-input", "billing", *arguments)


def _run(environment: Mapping[str, str], *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        _command(*arguments),
        cwd=ROOT,
        env=dict(environment),
        check=False,
        capture_output=True,
        text=True,
    )


def _start(environment: Mapping[str, str]) -> subprocess.Popen[str]:
    return subprocess.Popen(
        _command(_LAST),
        cwd=ROOT,
        env=dict(environment),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    )


def _read_until(process: subprocess.Popen[str], words: str) -> None:
    assert process.stderr is not None
    seen = []
    for line in process.stderr:
        seen.append(line)
        if words in line:
            return
    pytest.fail(f"It ended without saying {words!r}: {''.join(seen)}")


def _applied(session: psycopg.Connection) -> str:
    query = "SELECT max(name) FROM django_migrations WHERE app = 'billing'"
    row = session.execute(query).fetchone()
    assert row is not None
    return str(row[0])
