"""What is gone, and what is kept, of an organization that was deleted."""

import hashlib
from datetime import timedelta

import pytest
from django.db import connection

from core.clock import now
from gateway.models import Artifact, Attempt, Generation, Rollup, UserDay
from gateway.services import purging
from gateway.services.purging import purge_due_organizations
from gateway.services.rollup_checks import check_rollups
from gateway.services.rollups import roll_up
from gateway.storage import ensure_buckets, public_storage, request_prefix
from orgs.models import ApiKey, Organization
from orgs.services.audit import SYSTEM
from orgs.services.lifecycle import request_deletion
from tests.gateway.services.rows import add_attempt, add_generation, open_key
from tests.gateway.services.test_rollups import charge

DATA = b"an image"


@pytest.fixture
def generation(committed) -> Generation:
    ensure_buckets()
    key_row = open_key()
    charge(key_row, now(), user="jane")
    row = add_generation(key_row, status="succeeded", finished_at=now())
    Generation.objects.filter(id=row.id).update(
        parameters={"prompt": "A secret plan", "size": "1x1"}, user="jane"
    )
    digest = hashlib.sha256(DATA)
    key = f"{request_prefix(row.organization_id, row.id)}0.png"
    Artifact.objects.create(
        generation=row,
        index=0,
        is_public=True,
        key=key,
        content_type="image/png",
        sha256=digest.digest(),
        size_bytes=len(DATA),
        width=1,
        height=1,
        revised_prompt="A plan",
        created_at=now(),
    )
    connection.close()
    public_storage().put_image(
        key,
        DATA,
        content_type="image/png",
        cache_control="no-store",
        sha256=digest.hexdigest(),
    )
    return row


def test_purge_takes_images_and_words_when_it_is_due_and_keeps_figures(generation):
    organization = Organization.objects.get(id=generation.organization_id)
    while roll_up():
        pass
    assert UserDay.objects.filter(organization_id=organization.id, user="jane").exists()
    key = f"{request_prefix(organization.id, generation.id)}0.png"
    request_deletion(
        organization_id=organization.id, name=organization.name, actor=SYSTEM, now=now()
    )

    purge_due_organizations(now=now() + timedelta(days=29))
    connection.close()
    assert public_storage().exists(key)

    assert purge_due_organizations(now=now() + timedelta(days=31)) == 1
    connection.close()
    assert not public_storage().exists(key)
    kept = Generation.objects.get(id=generation.id)
    assert (kept.parameters, kept.user, kept.status) == ({"size": "1x1"}, "", "succeeded")
    artifact = Artifact.objects.get(generation=kept)
    assert artifact.revised_prompt == ""
    assert artifact.deleted_at is not None
    assert not ApiKey.objects.filter(organization=organization, revoked_at=None).exists()
    assert purge_due_organizations(now=now() + timedelta(days=31)) == 0
    assert not Rollup.objects.filter(organization_id=organization.id, user="jane").exists()
    assert not UserDay.objects.filter(organization_id=organization.id, user="jane").exists()
    assert list(check_rollups(organization_id=organization.id)) == []


def test_a_purge_that_breaks_keeps_no_other_from_its_own(committed, monkeypatch):
    monkeypatch.setattr(purging, "BATCH", 2)
    ensure_buckets()
    moment = now()
    ended = {"status": "succeeded", "created_at": moment, "finished_at": moment}
    broken, whole = open_key(), open_key()
    bad = add_generation(broken, **ended, parameters="prompt")
    for number in range(5):
        row = add_generation(whole, **ended, parameters={"prompt": "A plan"}, user=f"{number}")
        add_attempt(row, number=1, ended_at=moment, result={"images": []})
    for key in (broken, whole):
        organization = key.organization
        request_deletion(
            organization_id=organization.id, name=organization.name, actor=SYSTEM, now=now()
        )
    due = now() + timedelta(days=31)

    assert purge_due_organizations(now=due) == 1

    left = Generation.objects.filter(organization_id=whole.organization_id)
    assert list(left.values_list("parameters", "user")) == [({}, "")] * 5
    assert not Attempt.objects.filter(generation__in=left, result__isnull=False).exists()
    Generation.objects.filter(id=bad.id).update(parameters={})
    assert purge_due_organizations(now=due) == 1
