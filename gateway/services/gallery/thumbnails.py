"""Thumbnails: ordered by whoever first looks, made by workers in their own time.

A row is the order; a message on the queue only says that there is one. What a dead worker had taken
is taken again after `CLAIM_LASTS`, by the next message or by the schedule.
"""

import hashlib
import io
import logging
from collections.abc import Sequence
from datetime import datetime, timedelta
from functools import cache
from typing import Any, Final, NamedTuple
from uuid import UUID

from django.conf import settings
from django.db import connection
from gevent import get_hub
from gevent.lock import BoundedSemaphore
from PIL import Image, ImageOps

from core.clock import now as clock_now
from core.queue import send_task
from gateway.errors import NotFoundError
from gateway.models import Artifact, Thumbnail
from gateway.providers.transfer import transfer_semaphore
from gateway.storage import (
    ObjectNotFoundError,
    ObjectStream,
    StorageError,
    private_storage,
    public_storage,
    release_connections,
    request_prefix,
)

# The most pixels of the longer side: of the grid, and of the grid on a screen with double pixels.
EDGES: Final = (320, 640)
QUEUE: Final = "thumbnails"
TASK: Final = "gateway.make_thumbnails"
MAX_TRIES: Final = 5
CLAIM_LASTS: Final = timedelta(minutes=2)
# Of one process at a time, so that API users' images come first.
AT_ONCE: Final = 2
# A member's browser keeps it so long; a deleted image's may be shown from there until then.
CACHE_CONTROL: Final = "private, max-age=3600"
_CONTENT_TYPE: Final = "image/webp"
_QUALITY: Final = 80
_DECODE_ERRORS: Final = (OSError, SyntaxError, ValueError, EOFError, Image.DecompressionBombError)
_ORDER: Final = """
INSERT INTO gateway_thumbnail (id, artifact_id, edge, status, key, tries, requested_at)
SELECT gen_random_uuid(), artifact.id, edge, 'wanted',
    generation.organization_id || '/' || generation.id || '/thumbnail/' || artifact.index || '-'
        || edge || '.webp',
    0, %(now)s
FROM gateway_artifact AS artifact
JOIN gateway_generation AS generation ON generation.id = artifact.generation_id
CROSS JOIN unnest(%(edges)s::integer[]) AS edge
WHERE artifact.id = ANY(%(ids)s::uuid[]) AND artifact.deleted_at IS NULL
    AND generation.organization_id = %(organization_id)s
ON CONFLICT (artifact_id, edge) DO NOTHING
"""
_CLAIM: Final = """
UPDATE gateway_thumbnail AS thumbnail
SET claimed_at = %(now)s, tries = thumbnail.tries + 1
FROM gateway_artifact AS artifact
WHERE artifact.id = thumbnail.artifact_id AND thumbnail.id = (
    SELECT id FROM gateway_thumbnail
    WHERE status = 'wanted' AND (claimed_at IS NULL OR claimed_at < %(stale)s)
    ORDER BY requested_at
    LIMIT 1
    FOR UPDATE SKIP LOCKED
)
RETURNING thumbnail.id, thumbnail.edge, thumbnail.key, thumbnail.tries, artifact.is_public,
    artifact.key, artifact.deleted_at IS NOT NULL
"""
# Not where the image was deleted meanwhile: its objects are gone, and this one has to go.
_DONE: Final = """
UPDATE gateway_thumbnail AS thumbnail
SET status = 'done', made_at = %(now)s, size_bytes = %(size)s
FROM gateway_artifact AS artifact
WHERE thumbnail.id = %(id)s AND artifact.id = thumbnail.artifact_id AND artifact.deleted_at IS NULL
"""
logger = logging.getLogger(__name__)


class _Order(NamedTuple):
    id: UUID
    edge: int
    key: str
    tries: int
    is_public: bool
    source: str
    is_deleted: bool


@cache
def _making() -> BoundedSemaphore:
    return BoundedSemaphore(AT_ONCE)


def request_thumbnails(
    *,
    organization_id: UUID,
    artifact_ids: Sequence[UUID],
    now: datetime,
    edges: Sequence[int] = EDGES,
) -> int:
    """Order the thumbnails that an organization's images are without; return how many are new.

    One statement. Asking again orders nothing twice, and wakes a worker for what is still to do.
    """
    if not artifact_ids:
        return 0
    params: dict[str, Any] = {
        "organization_id": organization_id,
        "ids": list(artifact_ids),
        "edges": list(edges),
        "now": now,
    }
    with connection.cursor() as cursor:
        cursor.execute(_ORDER, params)
        ordered = int(cursor.rowcount)
    waiting = Thumbnail.objects.filter(
        artifact_id__in=artifact_ids, status=Thumbnail.Status.WANTED
    ).exists()
    if waiting:
        release_connections()
        send_task(TASK, QUEUE)
    return ordered


def open_thumbnail(
    *, organization_id: UUID, artifact_id: UUID, edge: int, if_none_match: str | None = None
) -> ObjectStream:
    """Open a thumbnail for a signed-in member; send it with its `info.etag` and `CACHE_CONTROL`.

    No database connection is held when it returns. One whose object is missing is ordered anew.

    Raises:
        NotFoundError: It is not made, its image was deleted, or it belongs to another organization.
        NotModifiedError: `if_none_match` names it.
        StorageUnavailableError: Storage is away.
    """
    row = (
        Thumbnail.objects.filter(
            artifact_id=artifact_id,
            edge=edge,
            status=Thumbnail.Status.DONE,
            artifact__deleted_at__isnull=True,
            artifact__generation__organization_id=organization_id,
        )
        .values_list("id", "key")
        .first()
    )
    release_connections()
    if row is None:
        raise NotFoundError("No such thumbnail.")
    try:
        return private_storage().open_stream(row[1], if_none_match=if_none_match)
    except ObjectNotFoundError as error:
        Thumbnail.objects.filter(id=row[0]).update(
            status=Thumbnail.Status.WANTED, claimed_at=None, tries=0
        )
        release_connections()
        send_task(TASK, QUEUE)
        raise NotFoundError("The thumbnail is being made again.") from error


def make_thumbnails() -> int:
    """Make ordered thumbnails until none is left; return how many this call made.

    At most `AT_ONCE` calls of a process work at a time; a further one leaves the work to them.
    """
    if not _making().acquire(blocking=False):
        return 0
    made = 0
    try:
        while (order := _claim()) is not None:
            made += _make(order)
    finally:
        _making().release()
        connection.close()
    return made


def _claim() -> _Order | None:
    moment = clock_now()
    try:
        with connection.cursor() as cursor:
            cursor.execute(_CLAIM, {"now": moment, "stale": moment - CLAIM_LASTS})
            row = cursor.fetchone()
    finally:
        connection.close()
    return None if row is None else _Order(*row)


def _make(order: _Order) -> bool:
    """Make one; what storage refuses now is tried again later, what is no picture never."""
    if order.is_deleted:
        _drop(order)
        return False
    try:
        # One of the process's transfers: it holds an image in memory.
        with transfer_semaphore(settings.TRANSFER_LIMIT):
            data = _scaled(order)
            private_storage().put_image(
                order.key,
                data,
                content_type=_CONTENT_TYPE,
                cache_control=CACHE_CONTROL,
                sha256=hashlib.sha256(data).hexdigest(),
            )
    except (StorageError, _NoPictureError) as error:
        logger.warning("thumbnail.failed key=%s tries=%d error=%s", order.key, order.tries, error)
        if order.tries >= MAX_TRIES or isinstance(error, _NoPictureError):
            Thumbnail.objects.filter(id=order.id).update(status=Thumbnail.Status.FAILED)
            connection.close()
        return False
    with connection.cursor() as cursor:
        cursor.execute(_DONE, {"id": order.id, "now": clock_now(), "size": len(data)})
        kept = bool(cursor.rowcount == 1)
    connection.close()
    if not kept:
        _drop(order)
    return kept


def _drop(order: _Order) -> None:
    """Delete what was made of a deleted image; if not now, the row is taken again later."""
    try:
        private_storage().delete(order.key)
    except StorageError as error:
        logger.warning("thumbnail.not_deleted key=%s error=%s", order.key, error)
        return
    Thumbnail.objects.filter(id=order.id).delete()
    connection.close()


class _NoPictureError(Exception):
    """There are no pixels to scale."""


def _scaled(order: _Order) -> bytes:
    storage = public_storage() if order.is_public else private_storage()
    try:
        with storage.open_stream(order.source) as stream:
            data = b"".join(stream)
    except ObjectNotFoundError as error:
        raise _NoPictureError("the image is gone") from error
    # The pool prints what is raised in it, so that the reason comes as a value.
    scaled = get_hub().threadpool.apply(_scale, (data, order.edge))
    if isinstance(scaled, str):
        raise _NoPictureError(scaled)
    return scaled


def _scale(data: bytes, edge: int) -> bytes | str:
    """Return the picture as WebP within a square of `edge`, or why it cannot be had."""
    target = io.BytesIO()
    try:
        with Image.open(io.BytesIO(data), formats=["PNG", "JPEG", "WEBP"]) as opened:
            opened.draft("RGB", (edge, edge))
            image = ImageOps.exif_transpose(opened)
            has_alpha = image.has_transparency_data
            image = image.convert("RGBA" if has_alpha else "RGB")
            image.thumbnail((edge, edge), Image.Resampling.LANCZOS, reducing_gap=2)
            image.save(target, "WEBP", quality=_QUALITY, method=4)
    except _DECODE_ERRORS as error:
        return type(error).__name__
    return target.getvalue()


def thumbnail_keys(artifacts: Sequence[Artifact]) -> list[str]:
    """Return the keys of the thumbnails of some images, made or not. `generation` is selected."""
    return [
        f"{request_prefix(artifact.generation.organization_id, artifact.generation_id)}"
        f"thumbnail/{artifact.index}-{edge}.webp"
        for artifact in artifacts
        for edge in EDGES
    ]
