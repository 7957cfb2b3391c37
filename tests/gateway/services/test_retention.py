"""What is deleted past an organization's retention, what stays, and what a failing storage does."""

import hashlib
import socket
from datetime import timedelta
from typing import Any

import pytest
import requests
from django.db import connection

from core.clock import now
from gateway.api.answers import generation_resource, images_response
from gateway.errors import InvalidRequestError
from gateway.models import Artifact, Attempt, Generation, Retention, Thumbnail
from gateway.selectors.gallery import GalleryFilters, list_images
from gateway.selectors.generations import get_generation
from gateway.services.gallery.deletion import delete_images
from gateway.services.gallery.retention import Loss, count_loss, enforce_retention
from gateway.services.gallery.thumbnails import (
    CLAIM_LASTS,
    make_thumbnails,
    request_thumbnails,
)
from gateway.services.playground.generating import run_again
from gateway.services.runs.recovery import delete_stray_objects
from gateway.storage import (
    ensure_buckets,
    input_key,
    inputs_prefix,
    private_storage,
    public_storage,
    request_prefix,
)
from orgs.models import ApiKey, AuditEvent, Organization
from tests.gateway.console_services.scene import deliver, store
from tests.gateway.services.rows import add_attempt, add_generation, open_key

OLD = timedelta(days=40)


@pytest.fixture
def key(committed) -> ApiKey:
    ensure_buckets()
    return open_key()


def keep(key: ApiKey, **days: int) -> None:
    Organization.objects.filter(id=key.organization_id).update(**days)


def objects(generation: Generation) -> set[str]:
    """Return all that is stored of a generation, in either bucket, and what it was sent."""
    connection.close()
    owner, own = generation.organization_id, generation.id
    places = [
        (public_storage(), request_prefix(owner, own)),
        (private_storage(), request_prefix(owner, own)),
        (private_storage(), inputs_prefix(owner, own)),
    ]
    return {found.key for storage, prefix in places for found in storage.list_prefix(prefix)}


def with_objects(key: ApiKey, **fields) -> Generation:
    """Add a generation of two images with thumbnails, and a file that was sent along."""
    generation = deliver(key, images=2, **fields)
    store(generation)
    ids = list(Artifact.objects.filter(generation=generation).values_list("id", flat=True))
    request_thumbnails(organization_id=key.organization_id, artifact_ids=ids, now=now())
    make_thumbnails()
    put_private(input_key(key.organization_id, generation.id, 0))
    assert len(objects(generation)) == 7
    return generation


def put_private(name: str) -> None:
    connection.close()
    digest = hashlib.sha256(b"sent").hexdigest()
    how = {"content_type": "image/png", "cache_control": "private", "sha256": digest}
    private_storage().put_image(name, b"sent", **how)


@pytest.fixture
def away(settings):
    """Return a switch that takes storage away, and brings it back."""
    address = settings.S3_ENDPOINT_URL
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        nowhere = f"http://127.0.0.1:{taken.getsockname()[1]}"

        def switch(*, is_away: bool) -> None:
            connection.close()
            settings.S3_ENDPOINT_URL = nowhere if is_away else address

        yield switch
    settings.S3_ENDPOINT_URL = address


def test_images_past_the_retention_are_gone_and_their_figures_stay(key, settings):
    keep(key, image_retention_days=30)
    parameters = {"n": 2, "prompt": "a cat", "size": "1024x768"}
    old, young = with_objects(key, at=now() - OLD, parameters=parameters), with_objects(key)
    foreign = with_objects(open_key(), at=now() - OLD)
    own = {"organization_id": key.organization_id}
    stored = get_generation(generation_id=old.id, **own).images[0].key
    url = f"{settings.S3_ENDPOINT_URL}/{settings.S3_BUCKET}/{stored}"
    assert requests.get(url, timeout=10).status_code == 200
    assert count_loss(image_days=30, prompt_days=30, now=now(), **own) == Loss(2, 1)

    assert enforce_retention(now=now()) == 1

    assert objects(old) == set()
    assert requests.get(url, timeout=10).status_code == 404
    assert [len(objects(one)) for one in (young, foreign)] == [7, 7]
    view = get_generation(generation_id=old.id, **own)
    resource, replay = generation_resource(view), images_response(view)
    assert (resource["deleted_by"], resource["data"]) == ("retention", [])
    assert (replay["deleted_by"], replay["data"]) == ("retention", [])
    assert view.charged_micros == old.charged_micros
    rows = Artifact.objects.filter(generation=old)
    assert [(row.deleted_at, row.size_bytes > 0) for row in rows] == [(view.deleted_at, True)] * 2
    assert not Generation.objects.get(id=old.id).has_stray_objects
    logged = AuditEvent.objects.filter(**own, action="image.expired").get()
    assert logged.changes["images"]["after"] == 2
    assert enforce_retention(now=now()) == 0
    assert count_loss(image_days=30, prompt_days=None, now=now(), **own) == Loss(0, 0)


def test_runs_go_on_where_the_last_one_ended(key, monkeypatch):
    monkeypatch.setattr("gateway.services.gallery.retention.BATCH", 2)
    keep(key, image_retention_days=30)
    moment = now()
    made = [deliver(key, at=moment - OLD + timedelta(seconds=one)) for one in range(5)]

    first = enforce_retention(now=moment, limit=2)
    reached = Retention.objects.get(organization_id=key.organization_id).images_until
    rest = enforce_retention(now=moment)

    assert (first, rest) == (2, 3)
    assert reached == made[1].created_at
    left = Generation.objects.filter(organization_id=key.organization_id, deleted_at=None)
    assert not left.exists()


def test_what_storage_keeps_is_deleted_by_the_sweeper(key, away):
    keep(key, image_retention_days=30)
    generation = with_objects(key, at=now() - OLD)
    away(is_away=True)
    enforce_retention(now=now())
    away(is_away=False)
    assert len(objects(generation)) == 7
    row = Generation.objects.get(id=generation.id)
    assert (row.has_stray_objects, row.is_expired) == (True, True)
    Generation.objects.filter(id=generation.id).update(parameters={"n": 2, "inputs": [{}]})

    delete_stray_objects(Generation.objects.get(id=generation.id))

    assert objects(generation) == set()
    assert not Generation.objects.get(id=generation.id).has_stray_objects


def test_thumbnails_that_storage_kept_go_with_their_image_alone(key, away):
    generation = with_objects(key)
    first = Artifact.objects.get(generation=generation, index=0)
    away(is_away=True)
    kept = delete_images(
        organization_id=key.organization_id, artifact_ids=[first.id], now=now()
    ).kept
    away(is_away=False)

    # The image and both its thumbnails.
    assert (kept, delete_stray_objects(generation)) == (3, 3)
    names = {name.rpartition("/")[2] for name in objects(generation)}
    assert names == {"1.png", "1-320.webp", "1-640.webp", "0"}
    assert generation.id not in Generation.objects.filter(has_stray_objects=True).values_list("id")


def test_a_thumbnail_in_the_making_of_a_deleted_image_is_taken_again_until_it_is_gone(key):
    generation = deliver(key)
    [image] = Artifact.objects.filter(generation=generation)
    own = {"organization_id": key.organization_id, "artifact_ids": [image.id], "now": now()}
    request_thumbnails(edges=(320,), **own)
    rows = Thumbnail.objects.filter(artifact=image)
    rows.update(claimed_at=now())
    delete_images(**own)
    # Its worker has stored it just now, and died.
    name = rows.get().key
    put_private(name)
    rows.update(claimed_at=now() - CLAIM_LASTS * 2)
    connection.close()

    make_thumbnails()

    assert not rows.exists()
    assert objects(generation) == set()


def test_prompts_past_the_retention_are_blank_and_found_no_more(key):
    keep(key, prompt_retention_days=30)
    fields: dict[str, Any] = {"user": "jane", "client_request_id": "mine", "charged_micros": 42_000}
    parameters = {"n": 1, "prompt": "a violet walrus", "size": "1x1"}
    old = deliver(key, at=now() - OLD, parameters=parameters, **fields)
    add_attempt(old, number=1, ended_at=now(), result={"images": ["a violet walrus"]})
    Artifact.objects.filter(generation=old).update(revised_prompt="a very violet walrus")
    failed = add_generation(
        key,
        status="failed",
        finished_at=now() - OLD,
        created_at=now() - OLD,
        parameters={"n": 1, "prompt": "a violet hat"},
    )
    young = deliver(key, prompt="a violet seal")

    assert enforce_retention(now=now()) == 2

    row = Generation.objects.get(id=old.id)
    assert (row.parameters, row.client_request_id) == ({"n": 1, "size": "1x1"}, "")
    assert (row.user, row.charged_micros, row.deleted_at) == ("jane", 42_000, None)
    assert Artifact.objects.get(generation=old).revised_prompt == ""
    assert Attempt.objects.get(generation=old).result is None
    assert "prompt" not in Generation.objects.get(id=failed.id).parameters
    own = {"organization_id": key.organization_id}
    found = list_images(filters=GalleryFilters(text="violet"), limit=9, **own).images
    assert [one.generation_id for one in found] == [young.id]
    assert len(list_images(filters=GalleryFilters(), limit=9, **own).images) == 2
    view = get_generation(generation_id=old.id, **own)
    assert (generation_resource(view)["prompt"], len(view.images)) == (None, 1)
    with pytest.raises(InvalidRequestError, match="no longer kept"):
        run_again(generation_id=old.id, user_id=old.id, submission_key="again", now=now(), **own)
