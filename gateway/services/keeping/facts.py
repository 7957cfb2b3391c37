"""What a database holds, as values by which a restored one is compared."""

from dataclasses import asdict, dataclass
from typing import Any

from django.db import connection
from django.db.migrations.loader import MigrationLoader
from psycopg.sql import SQL, Identifier

from billing.selectors.heads import read_ledger_heads

_TABLES = """
SELECT relname FROM pg_class
WHERE relkind IN ('r', 'p') AND relnamespace = current_schema()::regnamespace AND NOT relispartition
    AND relname <> 'lienzo_restore'
ORDER BY relname
"""


@dataclass(frozen=True, slots=True)
class Facts:
    """What one snapshot of the database holds.

    Attributes:
        migrations: The newest applied migration of each app.
        rows: How many each table has.
        ledger: Where its chains end; see `LedgerHeads`.
    """

    migrations: dict[str, str]
    rows: dict[str, int]
    ledger: dict[str, Any]


def read_facts() -> Facts:
    """Read them all; in a snapshot they are of one instant. Counts every row."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT DISTINCT ON (app) app, name FROM django_migrations ORDER BY app, name DESC"
        )
        migrations = dict(cursor.fetchall())
        cursor.execute(_TABLES)
        rows = {}
        for (table,) in cursor.fetchall():
            cursor.execute(SQL("SELECT count(*) FROM {}").format(Identifier(table)))
            rows[table] = int(cursor.fetchone()[0])
    return Facts(migrations, rows, asdict(read_ledger_heads()))


def differences(recorded: dict[str, Any], found: Facts) -> list[str]:
    """Return in words what a manifest says that the database does not."""
    words = [
        f"{table} has {found.rows.get(table, 'no')} rows, not {count}"
        for table, count in recorded["rows"].items()
        if found.rows.get(table) != count
    ]
    if recorded["ledger"] != found.ledger:
        words.append(f"the ledger ends at {found.ledger}, not at {recorded['ledger']}")
    return words


def unknown_migrations(applied: dict[str, str]) -> list[str]:
    """Return the migrations that this version of the product does not have."""
    known = MigrationLoader(None, ignore_no_migrations=True).disk_migrations or {}
    return sorted(f"{app}.{name}" for app, name in applied.items() if (app, name) not in known)


def server_version() -> int:
    """Return the server's version, e.g. 180004."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT current_setting('server_version_num')::int")
        row = cursor.fetchone()
    assert row is not None  # noqa: S101 - a function has one row
    return int(row[0])


def is_empty() -> bool:
    """Return whether the database has no table, sequence or function of anybody's.

    The note of a restore that died before it had loaded anything does not count.
    """
    with connection.cursor() as cursor:
        cursor.execute(
            """
            SELECT NOT EXISTS (
                SELECT FROM pg_class AS c JOIN pg_namespace AS n ON n.oid = c.relnamespace
                WHERE n.nspname <> 'information_schema' AND n.nspname NOT LIKE 'pg\\_%%'
                    AND c.relname <> 'lienzo_restore'
            ) AND NOT EXISTS (
                SELECT FROM pg_proc AS p JOIN pg_namespace AS n ON n.oid = p.pronamespace
                WHERE n.nspname <> 'information_schema' AND n.nspname NOT LIKE 'pg\\_%%'
                    AND NOT EXISTS (
                        SELECT FROM pg_depend AS d WHERE d.objid = p.oid AND d.deptype = 'e'
                    )
            )
            """
        )
        row = cursor.fetchone()
    assert row is not None  # noqa: S101 - an expression has one row
    return bool(row[0])
