"""Thumbnails and the deletion of many images, with real storage."""

import io
from datetime import timedelta
from uuid import UUID

import pytest
from django.db import connection
from PIL import Image

from core.clock import now
from gateway.errors import NotFoundError
from gateway.models import Artifact, Generation, Thumbnail
from gateway.selectors.gallery import GalleryFilters, list_images
from gateway.services.gallery.deletion import Deleted, delete_images
from gateway.services.gallery.thumbnails import (
    CLAIM_LASTS,
    make_thumbnails,
    open_thumbnail,
    request_thumbnails,
)
from gateway.storage import NotModifiedError, ensure_buckets, private_storage, public_storage
from tests.gateway.console_services.scene import deliver, store
from tests.gateway.services.rows import open_key


@pytest.fixture
def generation(committed) -> Generation:
    ensure_buckets()
    made = deliver(open_key(), images=2)
    store(made)
    return made


def ids_of(generation: Generation) -> list[UUID]:
    rows = Artifact.objects.filter(generation=generation).order_by("index")
    ids = list(rows.values_list("id", flat=True))
    connection.close()
    return ids


def order(generation: Generation) -> int:
    return request_thumbnails(
        organization_id=generation.organization_id, artifact_ids=ids_of(generation), now=now()
    )


def open_one(generation: Generation, index: int = 0, **how):
    return open_thumbnail(
        organization_id=generation.organization_id,
        artifact_id=ids_of(generation)[index],
        edge=320,
        **how,
    )


def shown(generation: Generation) -> list[tuple[int, ...]]:
    page = list_images(
        organization_id=generation.organization_id, filters=GalleryFilters(), limit=9
    )
    connection.close()
    return [image.thumbnails for image in page.images]


def test_thumbnails_are_made_once_and_served_to_members(generation):
    assert (order(generation), order(generation)) == (4, 0)
    with pytest.raises(NotFoundError):
        open_one(generation)

    assert make_thumbnails() >= 4
    assert make_thumbnails() == 0

    assert shown(generation) == [(320, 640)] * 2
    with open_one(generation) as stream:
        picture = Image.open(io.BytesIO(b"".join(stream)))
        etag = stream.info.etag
    assert (picture.format, picture.size) == ("WEBP", (320, 240))
    with pytest.raises(NotModifiedError):
        open_one(generation, if_none_match=etag)
    with pytest.raises(NotFoundError):
        open_thumbnail(
            organization_id=open_key().organization_id,
            artifact_id=ids_of(generation)[0],
            edge=320,
        )


def test_what_a_dead_worker_had_taken_and_what_was_lost_is_made_again(generation):
    order(generation)
    rows = Thumbnail.objects.filter(artifact__generation=generation)
    rows.update(claimed_at=now(), tries=1)
    connection.close()
    make_thumbnails()
    assert shown(generation) == [()] * 2

    rows.update(claimed_at=now() - CLAIM_LASTS - timedelta(seconds=1))
    connection.close()
    make_thumbnails()
    assert shown(generation) == [(320, 640)] * 2

    key = rows.order_by("artifact__index", "edge").values_list("key", flat=True)[0]
    connection.close()
    private_storage().delete(key)
    with pytest.raises(NotFoundError):
        open_one(generation)
    make_thumbnails()
    open_one(generation).close()


def test_an_image_that_is_no_picture_has_none(committed):
    ensure_buckets()
    generation = deliver(open_key())
    order(generation)

    make_thumbnails()

    [image] = list_images(
        organization_id=generation.organization_id, filters=GalleryFilters(), limit=9
    ).images
    assert (image.thumbnails, image.unmade) == ((), (320, 640))


def test_deleting_one_image_leaves_the_others_of_its_generation(generation):
    order(generation)
    make_thumbnails()
    first, second = ids_of(generation)
    rows = Thumbnail.objects.filter(artifact_id=first)
    gone = list(rows.values_list("key", flat=True))
    key = Artifact.objects.get(id=first).key
    foreign = deliver(open_key())
    connection.close()
    how = {"organization_id": generation.organization_id, "now": now()}

    deleted = delete_images(artifact_ids=[first, *ids_of(foreign)], **how)

    connection.close()
    assert deleted == Deleted(1, 0)
    assert not public_storage().exists(key)
    assert not any(private_storage().exists(one) for one in gone)
    assert shown(generation) == [(320, 640)]
    assert Generation.objects.get(id=generation.id).deleted_at is None
    assert Artifact.objects.get(generation=foreign).deleted_at is None
    with pytest.raises(NotFoundError):
        open_one(generation)

    delete_images(artifact_ids=[second], **how)
    assert Generation.objects.get(id=generation.id).deleted_at is not None


def test_a_thumbnail_that_is_finished_after_its_image_was_deleted_is_dropped(generation):
    order(generation)
    rows = Thumbnail.objects.filter(artifact__generation=generation)
    keys = list(rows.values_list("key", flat=True))
    Artifact.objects.filter(generation=generation).update(deleted_at=now())
    connection.close()

    make_thumbnails()

    assert not rows.exists()
    connection.close()
    assert not any(private_storage().exists(key) for key in keys)
