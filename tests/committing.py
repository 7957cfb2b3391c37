"""For tests that commit: afterwards the database is as its migrations left it.

Not by Django's flush: the guards of the books refuse TRUNCATE, and to truncate all tables takes a
fifth of a second, a hundred times what the deletion of the few rows of a test does.
"""

from collections.abc import Iterable, Mapping
from typing import Any

from django.apps import apps
from django.db import connection, models, transaction

# Django's own, which nobody changes.
_KEPT = {"auth_permission", "django_content_type", "django_migrations"}

Rows = Mapping[type[models.Model], list[Any]]


def read_rows() -> Rows:
    """Return the rows of all tables that have any, but for Django's own."""
    filled = set(_filled_tables())
    found = [model for model in apps.get_models() if model._meta.db_table in filled]
    return {model: list(model._base_manager.all()) for model in found}


def restore_rows(rows: Rows) -> None:
    """Commit that these rows are all there are.

    Raises:
        OperationalError: a connection that the test has left open holds a lock.
    """
    with transaction.atomic(), connection.cursor() as cursor:
        tables = [connection.ops.quote_name(name) for name in _filled_tables()]
        steps = [
            "SET LOCAL lock_timeout = '20s'",
            *_for_each("ALTER TABLE {} DISABLE TRIGGER USER", tables),
            *_for_each("DELETE FROM {}", tables),
            # Nothing may be left to check when a table is altered.
            "SET CONSTRAINTS ALL IMMEDIATE",
            *_for_each("ALTER TABLE {} ENABLE TRIGGER USER", tables),
        ]
        cursor.execute("; ".join(steps))
        for model, kept in rows.items():
            model._base_manager.bulk_create(kept)


def _filled_tables() -> list[str]:
    names = set(connection.introspection.table_names()) - _KEPT
    with connection.cursor() as cursor:
        cursor.execute(
            " UNION ALL ".join(
                f"SELECT '{name}' WHERE EXISTS (SELECT FROM {connection.ops.quote_name(name)})"
                for name in sorted(names)
            )
        )
        return [name for (name,) in cursor.fetchall()]


def _for_each(statement: str, tables: Iterable[str]) -> Iterable[str]:
    return (statement.format(table) for table in tables)
