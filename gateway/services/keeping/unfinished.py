"""What is known of a restore that has not ended, wherever its command died.

A table of its own keeps it, since it has to be there before the product's tables are. It is made
before anything is loaded, dropped with the restore's record, and in no backup.
"""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import psycopg
from django.db import connection, transaction

from core.postgres.locks import RESTORING
from gateway.services.keeping.errors import KeepingError


@dataclass(frozen=True, slots=True)
class Unfinished:
    """A restore that has begun.

    Attributes:
        manifest: The backup's.
        size_bytes: Of its file.
        is_compared: What was loaded is what was backed up. Only then its tables change.
    """

    manifest: dict[str, Any]
    size_bytes: int
    is_compared: bool


@contextmanager
def restoring_alone() -> Iterator[None]:
    """Hold an advisory lock in a session of its own, which ends with this process at the latest.

    Raises:
        KeepingError: Another restore holds it.
    """
    params = {**connection.get_connection_params(), "autocommit": True}
    with psycopg.connect(**params) as session:
        row = session.execute("SELECT pg_try_advisory_lock(%s)", [RESTORING]).fetchone()
        if not row or not next(iter(row)):
            raise KeepingError("Another restore of this database is under way.")
        yield


def begin(*, manifest: dict[str, Any], size_bytes: int) -> None:
    """Note that a backup is about to be loaded, in place of one that never was."""
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("DROP TABLE IF EXISTS lienzo_restore")
        cursor.execute(
            "CREATE TABLE lienzo_restore"
            " (manifest jsonb NOT NULL, size_bytes bigint NOT NULL, is_compared boolean NOT NULL)"
        )
        cursor.execute(
            "INSERT INTO lienzo_restore VALUES (%s, %s, false)", [json.dumps(manifest), size_bytes]
        )


def find_unfinished() -> Unfinished | None:
    """Return the restore that has not ended, if there is one."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT to_regclass('lienzo_restore') IS NOT NULL")
        if cursor.fetchone() != (True,):
            return None
        cursor.execute("SELECT manifest::text, size_bytes, is_compared FROM lienzo_restore")
        row = cursor.fetchone()
    return None if row is None else Unfinished(json.loads(row[0]), row[1], row[2])


def note_compared() -> None:
    """Note that what was loaded is what was backed up."""
    with connection.cursor() as cursor:
        cursor.execute("UPDATE lienzo_restore SET is_compared = true")


def forget() -> None:
    """Forget the restore: it has ended, or loaded nothing. Joins the caller's transaction."""
    with connection.cursor() as cursor:
        cursor.execute("DROP TABLE IF EXISTS lienzo_restore")
