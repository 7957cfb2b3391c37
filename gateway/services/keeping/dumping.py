"""Backing the database up while the product serves."""

import contextlib
import os
import secrets
import subprocess
import tempfile
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, BinaryIO, Final, cast
from uuid import UUID

from django.conf import settings
from django.db import connection, transaction

from billing.services.verification import snapshot
from core.clock import now as clock_now
from core.ids import new_uuid
from core.postgres.locks import BACKING_UP, MIGRATING
from core.postgres.programs import ProgramMissingError, find_program, program_address
from gateway.models import Backup
from gateway.services.keeping.containers import FORMAT, BackupWriter
from gateway.services.keeping.errors import KeepingError
from gateway.services.keeping.facts import read_facts, server_version
from gateway.services.operations.checks import note_pass
from orgs.secrets import fingerprint
from orgs.services.signing import encryption_keys

CHECK: Final = "backup"
_READ_BYTES: Final = 1024 * 1024
# A migration that holds a table is not queued behind: whoever came after would wait, too.
_LOCK_WAIT: Final = "10s"
_MAJOR: Final = 10_000


@dataclass(frozen=True, slots=True)
class Written:
    """A finished backup."""

    backup: Backup
    manifest: dict[str, Any]


def back_up(*, path: Path, now: datetime) -> Written:
    """Write a backup to a new file, which appears whole or not at all, and record it.

    Raises:
        KeepingError: The file exists, a program is missing, or the dump failed.
    """
    if path.exists():
        raise KeepingError(f"{path} exists already; a backup never replaces a file.")
    aside = path.with_name(f".{path.name}.{secrets.token_hex(4)}.partial")
    try:
        with _new_private_file(aside) as file:
            written = _write(file, now)
            file.flush()
            os.fsync(file.fileno())
        aside.rename(path)
        _sync_folder(path.parent)
    except OSError as error:
        raise KeepingError(f"{path} cannot be written: {error.strerror}.") from error
    finally:
        aside.unlink(missing_ok=True)
    note_backup(written.backup)
    return written


def back_up_to_stream(*, stream: BinaryIO, now: datetime) -> Written:
    """Write a backup to a stream, and record it; whether it arrived whole only its reader knows.

    Raises:
        KeepingError: A program is missing, or the dump failed; the stream then has no manifest.
    """
    try:
        written = _write(stream, now)
        stream.flush()
    except OSError as error:
        raise KeepingError(f"The backup cannot be written: {error.strerror}.") from error
    note_backup(written.backup)
    return written


def backup_row(manifest: dict[str, Any], *, size_bytes: int) -> Backup:
    """Return the row of a backup, unsaved."""
    return Backup(
        id=UUID(manifest["id"]),
        started_at=datetime.fromisoformat(manifest["started_at"]),
        snapshot_at=datetime.fromisoformat(manifest["snapshot_at"]),
        finished_at=datetime.fromisoformat(manifest["finished_at"]),
        product=manifest["product"],
        size_bytes=size_bytes,
        sha256=manifest["dump"]["sha256"],
        is_encrypted=manifest["is_encrypted"],
    )


def note_backup(backup: Backup) -> None:
    """Record a backup, and that one was made, for whoever watches how long ago."""
    with transaction.atomic():
        backup.save(force_insert=True)
        note_pass(name=CHECK, started_at=backup.started_at, finished_at=backup.finished_at)


def last_backup_at() -> datetime | None:
    """Return as of when the newest backup holds the database; None without any."""
    return Backup.objects.order_by("-snapshot_at").values_list("snapshot_at", flat=True).first()


def secret_prints() -> dict[str, list[str]]:
    """Return by which secrets this server hashes API keys and encrypts, without telling them."""
    return {
        "API_KEY_HMAC_SECRET": [
            fingerprint(key)
            for key in (settings.API_KEY_HMAC_SECRET, *settings.API_KEY_HMAC_PREVIOUS_SECRETS)
        ],
        "SECRET_KEY": [fingerprint(key) for key in encryption_keys()],
    }


def _write(stream: BinaryIO, started_at: datetime) -> Written:
    """Dump one snapshot and count what is in it, while others write."""
    backup_id = new_uuid()
    key = next(iter(settings.BACKUP_ENCRYPTION_KEYS), "")
    version = server_version()
    try:
        program = find_program("pg_dump", server_major=version // _MAJOR)
    except ProgramMissingError as error:
        raise KeepingError(str(error)) from error
    with _exported_snapshot() as (snapshot_id, snapshot_at, database_bytes):
        writer = BackupWriter(stream, backup_id=backup_id, key=key)
        with _dump(program, snapshot_id) as dump:
            facts = read_facts()
            while data := dump.read(_READ_BYTES):
                writer.write(data)
    writer.end_dump()
    finished_at = clock_now()
    manifest = {
        "format": FORMAT,
        "id": str(backup_id),
        "is_encrypted": bool(key),
        "product": settings.VERSION,
        "server": version,
        "started_at": started_at.isoformat(),
        "snapshot_at": snapshot_at.isoformat(),
        "finished_at": finished_at.isoformat(),
        "database_bytes": database_bytes,
        **asdict(facts),
        "secrets": secret_prints(),
        "dump": {"bytes": writer.dump_bytes, "parts": writer.parts, "sha256": writer.sha256},
    }
    writer.finish(manifest)
    return Written(backup_row(manifest, size_bytes=writer.size_bytes), manifest)


@contextlib.contextmanager
def _exported_snapshot() -> Iterator[tuple[str, datetime, int]]:
    """Hold one snapshot that other sessions can see: its name, its instant, the database's size.

    Everything committed before that instant is in it. It lasts as long as the dump. Of two backups
    at a time the second is refused, and a migration waits.
    """
    with snapshot(), connection.cursor() as cursor:
        cursor.execute("SELECT pg_try_advisory_xact_lock(%s)", [BACKING_UP])
        if cursor.fetchone() != (True,):
            raise KeepingError("Another backup of this database is being made.")
        cursor.execute("SELECT pg_try_advisory_xact_lock_shared(%s)", [MIGRATING])
        if cursor.fetchone() != (True,):
            raise KeepingError("This database is being migrated. Back it up afterwards.")
        cursor.execute(
            "SELECT pg_export_snapshot(), transaction_timestamp(),"
            " pg_database_size(current_database())"
        )
        row = cursor.fetchone()
        assert row is not None  # noqa: S101 - functions have one row
        yield row[0], row[1], row[2]


@contextlib.contextmanager
def _dump(program: Path, snapshot_id: str) -> Iterator[BinaryIO]:
    """Run `pg_dump` and give what it writes.

    Raises:
        KeepingError: It failed; with what it said.
    """
    address, environment = program_address(connection.get_connection_params())
    arguments = [
        str(program),
        "--format=custom",
        "--exclude-table=lienzo_restore",
        "--no-password",
        f"--lock-wait-timeout={_LOCK_WAIT}",
        f"--snapshot={snapshot_id}",
        f"--dbname={address}",
    ]
    with tempfile.TemporaryFile() as said:
        process = subprocess.Popen(  # noqa: S603 - PostgreSQL's program with our arguments
            arguments,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=said,
            env=environment,
        )
        assert process.stdout is not None  # noqa: S101 - a pipe
        try:
            yield cast("BinaryIO", process.stdout)
        except BaseException:
            process.kill()
            raise
        finally:
            process.stdout.close()
            code = process.wait()
        if code:
            said.seek(0)
            words = said.read().decode(errors="replace").strip()
            raise KeepingError(f"pg_dump failed:\n{words}")


def _new_private_file(path: Path) -> BinaryIO:
    return os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb")


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
