"""A database with work under way, backed up, restored elsewhere, and brought to the present."""

import stat
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from allauth.usersessions.models import UserSession
from django.core.management import CommandError
from django.db import DatabaseError, connection

from billing.models import AutoTopUp, Hold
from billing.services.payments.charges import charge_low_wallets
from core.clock import now
from gateway.models import Artifact, Backup, Check, Generation, Process
from gateway.services.keeping.dumping import last_backup_at
from gateway.services.keeping.facts import Facts, read_facts
from gateway.services.keeping.restoring import load_backup, verified_manifest
from gateway.services.keeping.resuming import resume
from gateway.services.verification import verify_money
from orgs.models import AuditEvent
from tests.billing.scene import UNIT, Scene
from tests.gateway.keeping.work import PAID, accept, fill_by_card, run, store
from tests.gateway.services.rows import new_worker
from tests.templates import working_on


@dataclass
class Before:
    """What was there at the backup, and two keys of images that were stored after it."""

    scene: Scene
    generations: dict[str, Generation]
    written: dict[str, Any]
    facts: Facts
    keys: dict[str, str]


@pytest.fixture
def before(source, tmp_path, settings) -> Before:
    settings.BACKUP_ENCRYPTION_KEYS = ["the key of backups"]
    with working_on(source):
        scene = Scene.create()
        scene.top_up(PAID)
        running: dict[str, Any] = {
            "status": "running",
            "worker_id": new_worker(),
            "claim_token": uuid4(),
        }
        generations = {
            "finished": accept(scene, **running),
            "queued": accept(scene, status="queued"),
            "lost": accept(scene, **running),
            "recent": accept(scene, overdue=False, **running),
        }
        fill_by_card(scene)
        facts = read_facts()
        written = run("backup", str(tmp_path / "lienzo.backup"))
        assert last_backup_at() == Backup.objects.get(id=written["id"]).snapshot_at
        # What the old machine did afterwards: none of it is in the file but its objects.
        keys = {name: store(generations[name]) for name in ("finished", "queued")}
        scene.top_up(PAID)
    return Before(scene, generations, written, facts, keys)


def test_restored_database_is_that_of_the_backup_and_settles_what_was_under_way(
    before, target, tmp_path
):
    scene, generations = before.scene, before.generations
    _check_file(tmp_path, before.written)

    with working_on(target):
        printed = run("restore", str(tmp_path / "lienzo.backup"))

        assert (printed["settled"], printed["expired"], printed["left"]) == (2, 1, 1)
        assert (printed["violations"], printed["warnings"]) == (0, [])
        assert printed["entries"] == before.facts.ledger["entries"]
        assert printed["rows"] == before.written["rows"] == sum(before.facts.rows.values())
        # Billed once, from the image that is stored; the others not at all.
        assert scene.balance() == (PAID - 2 * UNIT, UNIT)
        for name, key in before.keys.items():
            assert Artifact.objects.get(generation=generations[name]).key == key
        ends = {row.reference: row.status for row in Hold.objects.all()}
        assert {name: ends[str(one.id)] for name, one in generations.items()} == {
            "finished": "captured",
            "queued": "captured",
            "lost": "released",
            "recent": "authorized",
        }
        assert not Process.objects.filter(ended_at__isnull=True).exists()
        assert not UserSession.objects.exists()
        # Its card may have been charged since: nothing is charged before somebody has looked.
        assert printed["paused"] == AutoTopUp.objects.filter(failure_code="restored").count() > 0
        assert charge_low_wallets(now=now()) == 0
        assert Backup.objects.get().restored_at is not None
        finished_at = Check.objects.get(name="backup").finished_at
        assert finished_at == Backup.objects.get().finished_at
        logged = AuditEvent.objects.get(action="database.restored")
        assert logged.object_id == before.written["id"]

        again = run("restore", "--finish")

        assert (again["settled"], again["expired"], again["violations"]) == (0, 0, 0)
        assert scene.balance() == (PAID - 2 * UNIT, UNIT)
        _check_guards_and_numbers(scene)

        serving = new_worker()
        with pytest.raises(CommandError, match="works on this database"):
            run("restore", "--finish")
        assert Process.objects.get(id=serving).ended_at is None


def test_restore_that_reads_images_for_long_settles_the_last_ones_too(before, target, tmp_path):
    # As if reading images had taken ten minutes by now.
    began = now() - timedelta(minutes=10)
    with working_on(target):
        path = tmp_path / "lienzo.backup"
        load_backup(path=path, manifest=verified_manifest(path=path))

        done = resume(now=began)

        ends = Generation.objects.values_list("status", flat=True)
        assert done.settled == list(ends).count("succeeded") >= len(before.keys)
        assert before.scene.balance() == (PAID - 2 * UNIT, UNIT)


def _check_file(folder: Path, written: dict[str, Any]) -> None:
    """Check that there is one private file, which tells nothing."""
    (file,) = folder.iterdir()
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert written["size_bytes"] == file.stat().st_size
    assert b"billing_journalentry" not in file.read_bytes()


def _check_guards_and_numbers(scene: Scene) -> None:
    """Check that triggers and sequences came along."""
    cursor = connection.cursor()
    with pytest.raises(DatabaseError, match="billing_journalentry"):
        cursor.execute("DELETE FROM billing_journalentry")
    connection.close()
    scene.top_up(UNIT)
    assert verify_money(now=now()) == []
