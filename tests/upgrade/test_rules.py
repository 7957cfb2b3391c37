"""Migrations since the last release must suit a database that serves the last release meanwhile."""

import io
import json
import re
import subprocess
import sys
from pathlib import Path

import pytest
from django.core.management import call_command
from django.db.migrations.loader import MigrationLoader

from tests.upgrade.released import ROOT, read_release

_SQUAWK = Path(sys.executable).with_name("squawk")
# What is a matter of taste, and what `migrate` sets for all of them.
_LEFT_OUT = (
    "prefer-text-field",
    "prefer-bigint-over-int",
    "prefer-bigint-over-smallint",
    "prefer-identity",
    "prefer-timestamptz",
    "prefer-robust-stmts",
    "require-lock-timeout",
    "require-statement-timeout",
)
# A finding that is right and does no harm: migration and rule, with the reason.
ACCEPTED: dict[tuple[str, str], str] = {}
_TABLE = re.compile(
    r"""^\s*(?:ALTER\s+TABLE\s+(?:ONLY\s+|IF\s+EXISTS\s+)*
        |CREATE\s+(?:UNIQUE\s+)?INDEX\s+.*?\sON\s+)"?(\w+)"?""",
    re.IGNORECASE | re.VERBOSE | re.DOTALL,
)
_NEW_TABLE = re.compile(r'CREATE\s+TABLE\s+"?(\w+)"?', re.IGNORECASE)


@pytest.mark.django_db
def test_migrations_since_the_last_release_leave_it_serving() -> None:
    later = read_release().later(MigrationLoader(None))
    sources = {f"{one.app_label}.{one.name}": _sql(one.app_label, one.name) for one in later}
    new_tables = {name for sql in sources.values() for name in _NEW_TABLE.findall(sql)}

    found = {
        f"{name}: {rule}: {message}"
        for name, sql in sources.items()
        for rule, message in _findings(sql, new_tables)
        if (name, rule) not in ACCEPTED
    }

    assert found == set(), "See docs/upgrades.md, Migrations."


@pytest.mark.parametrize(
    ("rule", "statement"),
    [
        ("ban-drop-column", "ALTER TABLE billing_hold DROP COLUMN x;"),
        ("renaming-column", "ALTER TABLE billing_hold RENAME COLUMN x TO y;"),
        ("require-concurrent-index-creation", "CREATE INDEX i ON billing_hold (x);"),
        ("adding-required-field", "ALTER TABLE billing_hold ADD COLUMN x int NOT NULL;"),
        ("ban-drop-default", "ALTER TABLE billing_hold ALTER COLUMN x DROP DEFAULT;"),
        ("constraint-missing-not-valid", "ALTER TABLE billing_hold ADD CHECK (x > 0);"),
    ],
)
def test_a_statement_that_stops_the_last_release_is_found(rule: str, statement: str) -> None:
    assert rule in {found for found, _ in _findings(statement, set())}


def test_a_table_that_nobody_uses_yet_may_be_changed() -> None:
    statements = (
        'BEGIN;\n--\nCREATE TABLE "billing_new" ("x" int);\n'
        'ALTER TABLE "billing_new" ADD CONSTRAINT "c" CHECK ("x" > 0);\n'
        'CREATE INDEX "i" ON "billing_new" ("x");\nCOMMIT;'
    )

    assert _findings(statements, {"billing_new"}) == []


def test_released_migrations_are_never_edited() -> None:
    release = read_release()
    if not release.has_history():
        pytest.skip("this copy of the sources has no history")
    paths = ("orgs/migrations", "billing/migrations", "gateway/migrations")
    command = ("git", "diff", "--name-status", "--diff-filter=MDR", release.commit, "--", *paths)

    changed = subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True).stdout

    assert changed == ""


def _sql(app: str, name: str) -> str:
    output = io.StringIO()
    call_command("sqlmigrate", app, name, stdout=output, no_color=True)
    return output.getvalue()


def _findings(sql: str, new_tables: set[str]) -> list[tuple[str, str]]:
    """Return rule and message of what is wrong with statements, those on new tables left out."""
    excluded = [word for rule in _LEFT_OUT for word in ("--exclude", rule)]
    done = subprocess.run(
        (str(_SQUAWK), "--pg-version=15.0", "--reporter=json", *excluded),
        input=sql,
        check=False,
        capture_output=True,
        text=True,
    )
    assert done.stdout.startswith("["), done.stderr
    found = []
    for item in json.loads(done.stdout):
        table = _TABLE.match(_statement_of(sql, item["line"]))
        if not (table and table[1] in new_tables):
            found.append((item["rule_name"], item["message"]))
    return found


def _statement_of(sql: str, line: int) -> str:
    """Return the rest of the statement that a line (from 0 on) belongs to; ours begin on lines."""
    lines = sql.splitlines()
    first = line
    while (
        first
        and not lines[first - 1].rstrip().endswith(";")
        and not lines[first - 1].startswith("--")
    ):
        first -= 1
    return "\n".join(lines[first:])
