"""Restoring a database from a backup."""

import contextlib
import subprocess
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
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
from gateway.services.keeping.resuming import Resumed, require_still
from gateway.services.keeping.unfinished import (
    Unfinished,
    begin,
    find_unfinished,
    forget,
    note_compared,
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
        product: Of which version it is.
        rows: How many rows all tables have together.
        entries: How many entries the journal has.
        warnings: What the operator should see to.
    """

    snapshot_at: datetime
    product: str
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

    If that was done by a restore of this backup that died, go on from where it got to.

    Tables, rows, triggers, constraints and sequences come in one transaction; then the rows of each
    table and the ends of the ledger's chains are compared with the manifest.

    Raises:
        KeepingError: The database is not empty or older, a program is missing, or loading failed;
            or the product works on what was loaded before.
    """
    if not is_empty():
        left = find_unfinished()
        if left is None or left.manifest["id"] != manifest["id"]:
            raise KeepingError(
                "The database is not empty. Restore into a new one: nothing is ever overwritten."
            )
        require_still()
        return _compared(left)
    major, needed = server_version() // _MAJOR, manifest["server"] // _MAJOR
    if major < needed:
        raise KeepingError(f"The backup is of PostgreSQL {needed}; this server is {major}.")
    try:
        program = find_program("pg_restore", server_major=major)
    except ProgramMissingError as error:
        raise KeepingError(str(error)) from error
    address, environment = program_address(connection.get_connection_params())
    size_bytes = path.stat().st_size
    begin(manifest=manifest, size_bytes=size_bytes)
    connection.close()
    try:
        _run(program, address, environment, path)
    except KeepingError:
        # Not empty: the program of a restore that was killed went on, and was quicker.
        if is_empty():
            forget()
        raise
    return _compared(Unfinished(manifest, size_bytes, is_compared=False))


def take_up() -> Loaded | None:
    """Go on with a restore that died, from where it got to; None where another tool restored.

    Raises:
        KeepingError: Nothing was loaded, something else was, or the product works on it.
    """
    if is_empty():
        raise KeepingError("The database is empty. Name the FILE that is to be restored.")
    require_still()
    left = find_unfinished()
    return None if left is None else _compared(left)


def note_restore(*, resumed: Resumed, violations: int, now: datetime) -> None:
    """Log the restore with what became of what was under way; with that it has ended.

    Its backup, unless another tool restored, is recorded as the one this database is from.
    """
    left = find_unfinished()
    name = str(connection.settings_dict["NAME"])
    target, backup = Target("database", name, name), {}
    with transaction.atomic():
        if left is not None:
            row = backup_row(left.manifest, size_bytes=left.size_bytes)
            row.restored_at = now
            note_backup(row)
            target = Target("backup", row.id, f"{row.snapshot_at:%Y-%m-%d %H:%M:%S} UTC")
            backup = {"snapshot_at": row.snapshot_at, "sha256": row.sha256}
            forget()
        record(
            action=Action.DATABASE_RESTORED,
            actor=SYSTEM,
            organization_id=None,
            target=target,
            after={**backup, **asdict(resumed), "violations": violations},
        )


def _compared(left: Unfinished) -> Loaded:
    """Compare what was loaded with the manifest, unless that was done before.

    Raises:
        KeepingError: They differ.
    """
    manifest = left.manifest
    if not left.is_compared:
        with connection.cursor() as cursor:
            cursor.execute("SET statement_timeout = 0")
            # The planner knows nothing of rows that were just loaded.
            cursor.execute("ANALYZE")
        wrong = differences(manifest, read_facts())
        connection.close()
        if wrong:
            raise KeepingError(f"What was restored is not what was backed up: {'; '.join(wrong)}.")
        note_compared()
    return Loaded(
        snapshot_at=datetime.fromisoformat(manifest["snapshot_at"]),
        product=manifest["product"],
        rows=sum(manifest["rows"].values()),
        entries=manifest["ledger"]["entries"],
        warnings=tuple(_missing_secrets(manifest)),
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
            raise KeepingError(f"pg_restore failed, and loaded nothing:\n{words}")


def _missing_secrets(manifest: dict[str, Any]) -> Iterator[str]:
    """Yield which secrets of the backup this server does not have, and what that means."""
    here = secret_prints()
    for name, needed in manifest["secrets"].items():
        if not set(needed) <= set(here.get(name, ())):
            yield f"{name} is not that of the backup: {_WHAT_A_SECRET_IS_FOR[name]}."
