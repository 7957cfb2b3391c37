"""Restoring a database from a backup."""

import contextlib
import subprocess
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, Final

from django.conf import settings
from django.db import connection, transaction

from core.postgres.programs import ProgramMissingError, find_program, program_address
from gateway.services.keeping.containers import read_dump, read_manifest
from gateway.services.keeping.dumping import backup_row, note_backup, secret_prints
from gateway.services.keeping.errors import KeepingError
from gateway.services.keeping.facts import (
    differences,
    is_empty,
    read_facts,
    server_version,
    unknown_migrations,
)
from orgs.services.audit import SYSTEM, Action, Target, record

_MAJOR: Final = 10_000
_WHAT_A_SECRET_IS_FOR: Final = {
    "API_KEY_HMAC_SECRET": "no API key will be accepted",
    "SECRET_KEY": "secrets of webhooks and authenticator apps may be unreadable",
}


@dataclass(frozen=True, slots=True)
class Loaded:
    """A backup that is in the database now.

    Attributes:
        snapshot_at: Everything committed before is there.
        rows: How many rows all tables have together.
        entries: How many entries the journal has.
        warnings: What the operator should see to.
    """

    snapshot_at: datetime
    rows: int
    entries: int
    warnings: tuple[str, ...]


def verified_manifest(*, path: Path) -> dict[str, Any]:
    """Read a whole backup, and return what it says of itself once all of it was checked.

    Raises:
        KeepingError: It is damaged, or of a newer version of the product than this.
    """
    try:
        with path.open("rb") as stream:
            manifest = read_manifest(stream, keys=settings.BACKUP_ENCRYPTION_KEYS)
    except OSError as error:
        raise KeepingError(f"{path} cannot be read: {error.strerror}.") from error
    unknown = unknown_migrations(manifest["migrations"])
    if unknown:
        raise KeepingError(
            f"The backup is of Lienzo {manifest['product']}, which has migrations that this version"
            f" ({settings.VERSION}) does not know: {', '.join(unknown)}. Restore it with that"
            " version or a later one."
        )
    return manifest


def load_backup(*, path: Path, manifest: dict[str, Any]) -> Loaded:
    """Load a backup into the empty database that the settings name, all of it or nothing.

    Tables, rows, triggers, constraints and sequences come in one transaction; then the rows of each
    table and the ends of the ledger's chains are compared with the manifest.

    Raises:
        KeepingError: The database is not empty or older, a program is missing, or loading failed.
    """
    if not is_empty():
        raise KeepingError(
            "The database is not empty. Restore into a new one: nothing is ever overwritten."
        )
    major, needed = server_version() // _MAJOR, manifest["server"] // _MAJOR
    if major < needed:
        raise KeepingError(f"The backup is of PostgreSQL {needed}; this server is {major}.")
    try:
        program = find_program("pg_restore", server_major=major)
    except ProgramMissingError as error:
        raise KeepingError(str(error)) from error
    address, environment = program_address(connection.get_connection_params())
    connection.close()
    _run(program, address, environment, path)
    with connection.cursor() as cursor:
        cursor.execute("SET statement_timeout = 0")
        # The planner knows nothing of rows that were just loaded.
        cursor.execute("ANALYZE")
    facts = read_facts()
    connection.close()
    wrong = differences(manifest, facts)
    if wrong:
        raise KeepingError(f"What was restored is not what was backed up: {'; '.join(wrong)}.")
    return Loaded(
        snapshot_at=datetime.fromisoformat(manifest["snapshot_at"]),
        rows=sum(facts.rows.values()),
        entries=facts.ledger["entries"],
        warnings=tuple(_missing_secrets(manifest)),
    )


def note_restore(*, manifest: dict[str, Any], size_bytes: int, now: datetime) -> None:
    """Record the backup as the one that this database was restored from, and log it."""
    row = backup_row(manifest, size_bytes=size_bytes)
    row.restored_at = now
    with transaction.atomic():
        note_backup(row)
        record(
            action=Action.DATABASE_RESTORED,
            actor=SYSTEM,
            organization_id=None,
            target=Target("backup", row.id, f"{row.snapshot_at:%Y-%m-%d %H:%M:%S} UTC"),
            after={"snapshot_at": row.snapshot_at, "sha256": row.sha256},
        )


def _run(program: Path, address: str, environment: Mapping[str, str], path: Path) -> None:
    """Feed the dump to `pg_restore`; whatever fails leaves the database empty."""
    arguments = [
        str(program),
        "--single-transaction",
        "--exit-on-error",
        "--no-owner",
        "--no-privileges",
        "--no-password",
        f"--dbname={address}",
    ]
    with tempfile.TemporaryFile() as said, path.open("rb") as stream:
        process = subprocess.Popen(  # noqa: S603 - PostgreSQL's program with our arguments
            arguments,
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=said,
            env=dict(environment),
        )
        assert process.stdin is not None  # noqa: S101 - a pipe
        try:
            # It ends before its input does only if it failed, and its words tell why.
            with contextlib.suppress(BrokenPipeError), process.stdin as pipe:
                for data in read_dump(stream, keys=settings.BACKUP_ENCRYPTION_KEYS):
                    pipe.write(data)
        except BaseException:
            process.kill()
            raise
        finally:
            code = process.wait()
        if code:
            said.seek(0)
            words = said.read().decode(errors="replace").strip()
            raise KeepingError(f"pg_restore failed, and the database is empty as before:\n{words}")


def _missing_secrets(manifest: dict[str, Any]) -> Iterator[str]:
    """Yield which secrets of the backup this server does not have, and what that means."""
    here = secret_prints()
    for name, needed in manifest["secrets"].items():
        if not set(needed) <= set(here.get(name, ())):
            yield f"{name} is not that of the backup: {_WHAT_A_SECRET_IS_FOR[name]}."
