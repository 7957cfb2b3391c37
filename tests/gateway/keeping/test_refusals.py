"""What `backup` and `restore` refuse, with nothing changed."""

import hashlib
import io
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psycopg
import pytest
from django.core.management import CommandError, call_command
from django.db import connection

from core.postgres import programs
from core.postgres.locks import BACKING_UP, MIGRATING
from core.postgres.programs import ProgramMissingError, find_program, program_address
from gateway.models import Backup
from gateway.services.keeping.containers import BackupWriter, read_dump, read_manifest
from gateway.services.keeping.facts import is_empty
from tests.templates import working_on


@pytest.fixture
def backup(source, tmp_path: Path) -> Path:
    file = tmp_path / "lienzo.backup"
    with working_on(source):
        call_command("backup", str(file), stdout=io.StringIO())
    return file


def refused(*words: str) -> str:
    with pytest.raises(CommandError) as refusal:
        call_command(*words, stdout=io.StringIO())
    return str(refusal.value)


def rewritten(file: Path, change: Callable[[dict[str, Any]], None]) -> Path:
    """Write a whole backup with another manifest."""
    manifest = read_manifest(file.open("rb"), keys=())
    change(manifest)
    target = file.with_name("rewritten")
    with target.open("wb") as stream:
        writer = BackupWriter(stream, backup_id=manifest["id"], key="")
        for data in read_dump(file.open("rb"), keys=()):
            writer.write(data)
        writer.end_dump()
        writer.finish(manifest)
    return target


def test_restore_refuses_what_does_not_fit_and_leaves_the_database_empty(
    backup, source, target, tmp_path
):
    damaged = tmp_path / "damaged"
    data = bytearray(backup.read_bytes())
    data[len(data) // 2] ^= 1
    damaged.write_bytes(data)
    unlike = tmp_path / "unlike"
    rewritten(backup, lambda m: m["rows"].update(orgs_user=7)).rename(unlike)
    rewritten(backup, lambda m: m.update(server=990_000)).rename(tmp_path / "later")
    newer = rewritten(backup, lambda m: m["migrations"].update(gateway="9999_later"))

    with working_on(target):
        assert "is not the one that the manifest describes" in refused("restore", str(damaged))
        assert "gateway.9999_later" in refused("restore", str(newer))
        assert "is of PostgreSQL 99" in refused("restore", str(tmp_path / "later"))
        assert "cannot be read" in refused("restore", str(tmp_path / "nowhere"))
        assert "Name a FILE" in refused("restore")
        assert is_empty()
        assert "orgs_user has 0 rows, not 7" in refused("restore", str(unlike))
    with working_on(source):
        assert "not empty" in refused("restore", str(backup))
        assert not Backup.objects.filter(restored_at__isnull=False).exists()


def test_dump_that_cannot_be_loaded_leaves_the_database_empty(backup, target):
    dump = b"".join(read_dump(backup.open("rb"), keys=()))[:-20_000]
    manifest = read_manifest(backup.open("rb"), keys=())
    manifest["dump"].update(parts=1, sha256=hashlib.sha256(dump).hexdigest())
    with backup.open("wb") as stream:
        writer = BackupWriter(stream, backup_id=manifest["id"], key="")
        writer.write(dump)
        writer.end_dump()
        writer.finish(manifest)

    with working_on(target):
        assert "pg_restore failed" in refused("restore", str(backup))
        assert is_empty()


def test_backup_refuses_a_file_that_exists_and_a_second_one_at_a_time(source, tmp_path):
    taken = tmp_path / "taken"
    taken.write_text("mine")

    with working_on(source):
        before = Backup.objects.count()
        assert "exists already" in refused("backup", str(taken))
        url = {**connection.get_connection_params()}
        assert "cannot be written" in refused("backup", str(tmp_path / "no" / "folder"))
        address, environment = program_address(url)
        with psycopg.connect(address, password=environment["PGPASSWORD"]) as other:
            other.execute("SELECT pg_advisory_lock(%s)", [BACKING_UP])
            assert "Another backup" in refused("backup", str(tmp_path / "second"))
            other.execute("SELECT pg_advisory_unlock(%s)", [BACKING_UP])
            other.execute("SELECT pg_advisory_lock(%s)", [MIGRATING])
            assert "being migrated" in refused("backup", str(tmp_path / "second"))
        assert Backup.objects.count() == before
    assert [path.name for path in tmp_path.iterdir()] == ["taken"]
    assert taken.read_text() == "mine"


def test_programs_older_than_the_server_are_refused_by_name(tmp_path, monkeypatch):
    old = tmp_path / "pg_dump"
    old.write_text("#!/bin/sh\necho 'pg_dump (PostgreSQL) 9.6.24'\n")
    old.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")

    found = find_program("pg_dump", server_major=18)

    assert found != old
    assert found.name == "pg_dump"
    with pytest.raises(ProgramMissingError, match=r"PostgreSQL 99 or newer.*pg_dump \(9\)"):
        find_program("pg_dump", server_major=99)
    monkeypatch.setattr(programs, "_WHEEL", "no_such_package")
    monkeypatch.setenv("PATH", str(tmp_path / "nowhere"))
    with pytest.raises(ProgramMissingError, match="Found: none"):
        find_program("pg_dump", server_major=18)


def test_password_is_told_in_the_environment_alone():
    params = {
        "dbname": "it's",
        "host": "h",
        "user": "u",
        "password": "se cret",
        "options": "-c x=1",
    }

    address, environment = program_address({**params, "prepare_threshold": 3, "sslmode": "require"})

    assert environment["PGPASSWORD"] == "se cret"
    assert "cret" not in address
    assert "sslmode=require" in address
    assert "options" not in address
