"""Restores that die on their way, or find what cannot be settled."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import psycopg
import pytest
from django.core.exceptions import ImproperlyConfigured
from django.core.management import CommandError, call_command
from django.db import connection
from pytest_django import Settings

from billing.models import AutoTopUp, Hold
from core.clock import now
from core.postgres.locks import RESTORING
from core.postgres.migrations import missing_migrations, require_migrated
from embedded.processes import ROOT, child_environment
from gateway.models import Artifact, Backup, Generation, Process
from gateway.services.keeping.facts import is_empty
from gateway.services.keeping.restoring import load_backup, verified_manifest
from gateway.services.keeping.unfinished import begin
from gateway.storage import private_storage
from orgs.models import AuditEvent, Mail, Organization
from orgs.services.signing import unseal
from tests.billing.scene import UNIT, Scene
from tests.gateway.keeping.databases import new_database
from tests.gateway.keeping.work import PAID, accept, fill_by_card, run, store
from tests.orgs.people import Team
from tests.templates import on_database, working_on

NOWHERE = "http://127.0.0.1:9"


@dataclass
class Saved:
    """A backup with one generation whose image is stored, and an automatic top-up."""

    path: Path
    scene: Scene


@pytest.fixture(scope="module")
def saved(source: str, tmp_path_factory: pytest.TempPathFactory, django_db_blocker) -> Saved:
    path = tmp_path_factory.mktemp("saved") / "lienzo.backup"
    with django_db_blocker.unblock(), working_on(source):
        scene = Scene.create()
        scene.top_up(PAID)
        store(accept(scene, status="queued"))
        fill_by_card(scene)
        call_command("backup", str(path), verbosity=0)
    return Saved(path, scene)


@pytest.fixture
def mend(settings: Settings) -> Iterator[Callable[[], None]]:
    """A bucket of private images that is not there until it is mended; that of public ones is."""

    def use(bucket: str) -> None:
        settings.S3_PRIVATE_BUCKET = bucket
        private_storage.cache_clear()

    own = settings.S3_PRIVATE_BUCKET
    use("no-such-bucket")
    yield partial(use, own)
    use(own)


def load(saved: Saved) -> None:
    """Do what a restore does up to its tables' migrations, where it dies."""
    load_backup(path=saved.path, manifest=verified_manifest(path=saved.path))
    connection.close()


def check_whole(saved: Saved) -> None:
    """Check that nothing is left to do, and that it was done once."""
    assert missing_migrations() == []
    assert saved.scene.balance() == (PAID - UNIT, 0)
    assert Hold.objects.get().status == "captured"
    assert AutoTopUp.objects.get().failure_code == "restored"
    assert Backup.objects.get().restored_at is not None
    assert AuditEvent.objects.filter(action="database.restored").count() == 1
    require_migrated()


def test_restore_that_died_while_it_loaded_is_begun_again(saved: Saved, target: str):
    with working_on(target):
        begin(manifest=verified_manifest(path=saved.path), size_bytes=1)

        assert is_empty()
        with pytest.raises(CommandError, match="database is empty"):
            run("restore", "--finish")
        assert run("restore", str(saved.path))["settled"] == 1

        check_whole(saved)
        with pytest.raises(CommandError, match="not empty"):
            run("restore", str(saved.path))


def test_restore_that_died_while_it_migrated_is_finished_without_its_file(
    saved: Saved, target: str
):
    with working_on(target):
        load(saved)
        # As if the backup were of an earlier version.
        call_command("migrate", "gateway", "0023", verbosity=0)
        process = Process.objects.create(
            kind="web", host="h", pid=1, started_ticks=1, started_at=now(), heartbeat_at=now()
        )
        for words in (["--finish"], [str(saved.path)]):
            with pytest.raises(CommandError, match="works on this database"):
                run("restore", *words)
        assert missing_migrations() == ["gateway.0024_traceparent"]
        process.delete()

        printed = run("restore", "--finish")

        assert printed["rows"] == sum(verified_manifest(path=saved.path)["rows"].values())
        assert (printed["settled"], printed["paused"]) == (1, 1)
        check_whole(saved)


def test_restore_that_died_before_it_compared_goes_on_alone_and_pauses_before_it_reads_images(
    saved: Saved, target: str, settings: Settings
):
    endpoint = settings.S3_ENDPOINT_URL
    with working_on(target):
        load(saved)
        connection.cursor().execute("UPDATE lienzo_restore SET is_compared = false")
        address = {**connection.get_connection_params()}
        with psycopg.connect(**address) as other:
            other.execute("SELECT pg_advisory_lock(%s)", [RESTORING])
            with pytest.raises(CommandError, match="Another restore"):
                run("restore", str(saved.path))

        settings.S3_ENDPOINT_URL = NOWHERE
        with pytest.raises(CommandError, match="storage cannot be read"):
            run("restore", str(saved.path))
        with pytest.raises(ImproperlyConfigured, match="has not ended"):
            require_migrated()
        assert AutoTopUp.objects.get().failure_code == "restored"
        assert not Backup.objects.exists()
        settings.S3_ENDPOINT_URL = endpoint
        assert run("restore", str(saved.path))["settled"] == 1

        check_whole(saved)


def test_generation_that_cannot_be_settled_is_named_and_holds_up_no_other(mend):
    with new_database(is_empty=False) as name, working_on(name):
        scene, signed = Scene.create(), Scene.create()
        Organization.objects.filter(id=signed.organization_id).update(image_policy="signed")
        scene.top_up(PAID)
        signed.top_up(PAID)
        broken = accept(scene, status="queued", parameters={})
        hidden = accept(signed, status="queued")
        whole = accept(scene, status="queued")
        # Of the hidden one, before its organization had images signed.
        for generation in (broken, hidden, whole):
            store(generation)

        printed = run("restore", "--finish", code=1)

        assert printed["settled"] == 1
        # Their money is still set aside, which the ledger's verification says, too.
        checks = [found.partition(":")[0] for found in printed["findings"]]
        assert checks == ["hold_overdue"] * 2
        by_id = sorted([broken, hidden], key=lambda one: one.id)
        assert [line.split()[0] for line in printed["unsettled"]] == [str(g.id) for g in by_id]
        assert any("KeyError: 'n'" in line for line in printed["unsettled"])
        assert any("StorageError: 404 NoSuchBucket" in line for line in printed["unsettled"])
        assert Generation.objects.get(id=whole.id).status == "succeeded"
        assert scene.balance() == (PAID - UNIT, UNIT)
        noted = AuditEvent.objects.get(action="database.restored").changes
        assert noted["unsettled"]["after"] == printed["unsettled"]

        Generation.objects.filter(id=broken.id).update(parameters={"n": 1})
        mend()
        again = run("restore", "--finish")

        assert (again["settled"], again["expired"], again["unsettled"]) == (2, 0, [])
        assert scene.balance() == (PAID - 2 * UNIT, 0)
        assert signed.balance() == (PAID - UNIT, 0)
        assert Artifact.objects.get(generation=hidden).is_public


def test_organization_whose_automatic_top_ups_pause_is_told_once_by_mail():
    with new_database(is_empty=False) as name, working_on(name):
        scene = Scene.create()
        team = Team(Organization.objects.get(id=scene.organization_id))
        owner, admin = team.person("owner").user, team.person("admin").user
        team.person("developer")
        admin.language = "es"
        admin.save()
        fill_by_card(scene)

        assert [run("restore", "--finish")["paused"] for _ in range(2)] == [1, 0]

        subjects = dict(Mail.objects.values_list("recipient", "subject"))
        assert subjects == {
            owner.email: "The automatic top-up of Scene is paused",
            admin.email: "La recarga automática de Scene está en pausa",
        }
        assert Mail.objects.count() == len(subjects)
        link = f"/o/{scene.organization_id}/billing/automatic\n"
        assert all(link in unseal(bytes(mail.body)) for mail in Mail.objects.all())


@pytest.mark.big
@pytest.mark.parametrize(
    "reached",
    [
        "to_regclass('lienzo_restore') IS NOT NULL",
        "to_regclass('orgs_user') IS NOT NULL",
        "(SELECT is_compared FROM lienzo_restore)",
        "EXISTS (SELECT FROM billing_autotopup WHERE paused_at IS NOT NULL)",
    ],
)
def test_restore_that_is_killed_is_gone_on_with(saved: Saved, target: str, reached: str):
    url = on_database(os.environ["DATABASE_URL"], target)
    restore = subprocess.Popen(
        [sys.executable, "manage.py", "restore", str(saved.path)],
        env=child_environment(os.environ, {"DATABASE_URL": url}),
        cwd=ROOT,
        stdout=subprocess.DEVNULL,
    )
    with psycopg.connect(url, autocommit=True) as session:
        while restore.poll() is None:
            # Its table is not there yet, or no more.
            with suppress(psycopg.errors.UndefinedTable):
                if session.execute(f"SELECT {reached}").fetchone() == (True,):
                    break
            time.sleep(0.001)
    restore.kill()
    assert restore.wait() == -signal.SIGKILL

    with working_on(target):
        assert run("restore", str(saved.path))["violations"] == 0
        check_whole(saved)
