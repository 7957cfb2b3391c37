"""`migrate` for a database that serves requests meanwhile. See docs/upgrades.md."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Final

from django.core.management.base import CommandError, CommandParser
from django.core.management.commands.migrate import Command as MigrateCommand
from django.db import OperationalError, connections
from django.db.migrations.migration import Migration
from psycopg.errors import LockNotAvailable

from core.postgres.locks import MIGRATING

# Whoever waits for a table's lock holds up everybody who asks after them, reads included: rather
# give up soon and try again.
LOCK_TIMEOUT_MS: Final = 2_000
_PAUSE_S = 3.0


class Command(MigrateCommand):
    """Migrates one at a time, and never keeps requests waiting for longer than two seconds."""

    def add_arguments(self, parser: CommandParser) -> None:
        """Add Django's arguments and our own."""
        super().add_arguments(parser)
        parser.add_argument(
            "--lock-tries",
            type=int,
            default=40,
            help="how often to try a migration whose tables are in use (40)",
        )

    def handle(self, *args: Any, **options: Any) -> None:
        """Migrate under an advisory lock of the session; a migration that times out is tried again.

        Raises:
            CommandError: Its tables were in use at every try. What was applied before stays.
        """
        tries = max(1, options.pop("lock_tries", 1))
        self._database = options["database"]
        with self._alone(), self._session_settings():
            for left in reversed(range(tries)):
                try:
                    super().handle(*args, **options)
                except OperationalError as error:
                    if not isinstance(error.__cause__, LockNotAvailable):
                        raise
                    self._wait_or_give_up(left)
                else:
                    return

    def migration_progress_callback(
        self,
        action: str,
        migration: Migration | None = None,
        fake: bool = False,  # noqa: FBT001, FBT002 - Django's signature
    ) -> None:
        """Set the limit for the migration that begins.

        One outside of a transaction builds or drops indexes `CONCURRENTLY`: it holds nobody up
        while it waits for older transactions, and a broken off build leaves an invalid index.
        """
        if action == "apply_start" and migration is not None:
            self._set("lock_timeout", LOCK_TIMEOUT_MS if migration.atomic else 0)
        super().migration_progress_callback(action, migration, fake)

    @contextmanager
    def _alone(self) -> Iterator[None]:
        """Hold the advisory lock: hosts that are updated at once then take turns.

        A backup shares it, since its locks would hold up a migration, and that everybody else.
        """
        with connections[self._database].cursor() as cursor:
            cursor.execute("SELECT pg_try_advisory_lock(%s)", [MIGRATING])
            row = cursor.fetchone()
        if not (row and row[0]):
            self.stderr.write("Waiting for another migration, or a backup, to end ...")
            self._set("lock_timeout", 0)
            self._set("statement_timeout", 0)
            with connections[self._database].cursor() as cursor:
                cursor.execute("SELECT pg_advisory_lock(%s)", [MIGRATING])
        try:
            yield
        finally:
            with connections[self._database].cursor() as cursor:
                cursor.execute("SELECT pg_advisory_unlock(%s)", [MIGRATING])

    @contextmanager
    def _session_settings(self) -> Iterator[None]:
        """Filling a column or building an index may take longer than a request's statement."""
        self._set("statement_timeout", 0)
        self._set("lock_timeout", LOCK_TIMEOUT_MS)
        try:
            yield
        finally:
            with connections[self._database].cursor() as cursor:
                cursor.execute("RESET statement_timeout")
                cursor.execute("RESET lock_timeout")

    def _wait_or_give_up(self, tries_left: int) -> None:
        if not tries_left:
            raise CommandError(
                "The tables of the last migration named above were in use at every try. Nothing of "
                "it was applied. Look for long transactions in pg_stat_activity, then run migrate "
                "again."
            )
        self.stderr.write(f"Its tables are in use; trying again in {_PAUSE_S:g} s ...")
        time.sleep(_PAUSE_S)

    def _set(self, name: str, milliseconds: int) -> None:
        with connections[self._database].cursor() as cursor:
            cursor.execute("SELECT set_config(%s, %s, false)", [name, str(milliseconds)])
