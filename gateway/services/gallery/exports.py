"""Exports: many images as one ZIP file with a manifest, made by a worker and kept for a day.

Nothing is held whole: images go from S3 through the ZIP into the parts of an upload. A worker that
dies is followed by one that starts afresh.
"""

import csv
import io
import logging
import zipfile
from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from functools import cache
from typing import Any, Final
from uuid import UUID

import orjson
from django.db import connection, transaction
from django.db.models import F, Q
from gevent.lock import BoundedSemaphore

from billing.money import format_amount
from core.clock import now as clock_now
from core.ids import new_uuid, request_id
from core.queue import send_task
from gateway.errors import InvalidRequestError, NotFoundError
from gateway.images import CONTENT_TYPES, EXTENSIONS
from gateway.models import Export
from gateway.selectors.gallery import GalleryImage, find_images
from gateway.selectors.requests import plain_cell
from gateway.services.gallery.thumbnails import QUEUE
from gateway.storage import (
    ObjectNotFoundError,
    ObjectStream,
    StorageError,
    private_storage,
    public_storage,
    release_connections,
)
from gateway.storage.multipart import MultipartUpload, abort_upload
from orgs.services.audit import SYSTEM, Action, Actor, Target, record

TASK: Final = "gateway.make_exports"
MAX_IMAGES: Final = 2000
MAX_BYTES: Final = 10 * 1024**3
MAX_OPEN: Final = 3
MAX_TRIES: Final = 3
KEPT_FOR: Final = timedelta(hours=24)
CLAIM_LASTS: Final = timedelta(minutes=2)
BATCH: Final = 50
COLUMNS: Final = ("file", "generation_id", "prompt", "model", "price", "currency", "created")
_ENDINGS: Final = {CONTENT_TYPES[name]: EXTENSIONS[name] for name in CONTENT_TYPES}
_OPEN: Final = (Export.Status.QUEUED, Export.Status.RUNNING)
logger = logging.getLogger(__name__)


@cache
def _making() -> BoundedSemaphore:
    return BoundedSemaphore(1)


class _LostError(Exception):
    """Another worker has taken the export."""


def order_export(
    *,
    organization_id: UUID,
    user_id: UUID,
    artifact_ids: Sequence[UUID],
    now: datetime,
    actor: Actor = SYSTEM,
) -> Export:
    """Order a ZIP file of some of an organization's images, and log it; a worker makes it.

    Unknown ids, and those of others, are left out.

    Raises:
        InvalidRequestError: No image, too many or too large ones, or too many exports on their way.
    """
    if len(artifact_ids) > MAX_IMAGES:
        raise InvalidRequestError(f"Export at most {MAX_IMAGES} images at a time.")
    images = find_images(organization_id=organization_id, artifact_ids=list(artifact_ids))
    if not images:
        raise InvalidRequestError("There is no image to export.")
    if sum(image.size_bytes for image in images) > MAX_BYTES:
        raise InvalidRequestError("These images are too large for one export. Choose fewer.")
    waiting = Export.objects.filter(organization_id=organization_id, status__in=_OPEN).count()
    if waiting >= MAX_OPEN:
        raise InvalidRequestError("Three exports are on their way. Wait for one of them.")
    export_id = new_uuid()
    with transaction.atomic():
        export = Export.objects.create(
            id=export_id,
            organization_id=organization_id,
            created_by_id=user_id,
            artifact_ids=[image.artifact_id for image in images],
            total=len(images),
            key=f"{organization_id}/exports/{export_id}.zip",
            created_at=now,
        )
        record(
            action=Action.EXPORT_ORDERED,
            actor=actor,
            organization_id=organization_id,
            target=Target("export", export_id),
            after={"images": export.total},
        )
    release_connections()
    send_task(TASK, QUEUE)
    return export


def find_export(*, organization_id: UUID, export_id: UUID) -> Export:
    """Return an export with its progress.

    Raises:
        NotFoundError: It does not exist, or belongs to another organization.
    """
    export = Export.objects.filter(id=export_id, organization_id=organization_id).first()
    if export is None:
        raise NotFoundError("No such export.")
    return export


def open_export(*, organization_id: UUID, export_id: UUID, now: datetime) -> ObjectStream:
    """Open the file of an export that is ready; no database connection is held when it returns.

    Raises:
        NotFoundError: It is not ready, has expired, or belongs to another organization.
    """
    export = find_export(organization_id=organization_id, export_id=export_id)
    release_connections()
    if export.expires_at is None or export.expires_at <= now:
        raise NotFoundError("The export is not ready, or has expired.")
    try:
        return private_storage().open_stream(export.key)
    except ObjectNotFoundError as error:
        raise NotFoundError("The export has expired.") from error


def make_exports() -> int:
    """Make ordered exports until none is left; return how many this call made."""
    if not _making().acquire(blocking=False):
        return 0
    made = 0
    try:
        while (export := _claim()) is not None:
            made += _try(export)
    finally:
        _making().release()
        connection.close()
    return made


def expire_exports(*, now: datetime) -> int:
    """Delete the files of exports past their time; return how many."""
    expired = list(Export.objects.filter(status=Export.Status.READY, expires_at__lte=now)[:500])
    connection.close()
    for export in expired:
        private_storage().delete(export.key)
        Export.objects.filter(id=export.id).update(status=Export.Status.EXPIRED)
        connection.close()
    return len(expired)


def _claim() -> Export | None:
    """Take the oldest one that nobody works on, by compare-and-set."""
    moment = clock_now()
    free = Q(claimed_at__isnull=True) | Q(claimed_at__lt=moment - CLAIM_LASTS)
    export = Export.objects.filter(free, status__in=_OPEN).order_by("created_at").first()
    if export is None:
        connection.close()
        return None
    if export.tries >= MAX_TRIES:
        _end(export, Export.Status.FAILED)
        return _claim()
    token = new_uuid()
    taken = Export.objects.filter(
        id=export.id, claim_token=export.claim_token, claimed_at=export.claimed_at
    ).update(
        status=Export.Status.RUNNING,
        claim_token=token,
        claimed_at=moment,
        tries=F("tries") + 1,
        done=0,
        missing=0,
    )
    connection.close()
    export.claim_token = token
    return export if taken else _claim()


def _try(export: Export) -> bool:
    """Make one; what fails now is tried again when its claim has grown old."""
    try:
        if export.upload_id:
            abort_upload(private_storage(), export.key, export.upload_id)
        _make(export)
    except _LostError:
        return False
    except StorageError as error:
        logger.warning("export.failed export=%s error=%s", export.id, error)
        Export.objects.filter(id=export.id).update(upload_id="")
        connection.close()
        return False
    return True


def _make(export: Export) -> None:
    upload = MultipartUpload(private_storage(), export.key, content_type="application/zip")
    _update(export, upload_id=upload.id)
    absent: set[UUID] = set()
    with zipfile.ZipFile(upload, "w", zipfile.ZIP_STORED) as archive:
        done = 0
        for images, asked in _batches(export):
            found = {image.artifact_id for image in images}
            absent |= set(asked) - found
            for image in images:
                if not _add(archive, image):
                    absent.add(image.artifact_id)
                done += 1
                if done % 10 == 0:
                    _update(export, done=done, missing=len(absent))
        _add_manifests(archive, export, absent)
    upload.complete()
    moment = clock_now()
    _update(
        export,
        status=Export.Status.READY,
        done=export.total - len(absent),
        missing=len(absent),
        size_bytes=upload.size,
        upload_id="",
        finished_at=moment,
        expires_at=moment + KEPT_FOR,
    )


def _batches(export: Export) -> Iterator[tuple[list[GalleryImage], list[UUID]]]:
    for start in range(0, export.total, BATCH):
        asked = export.artifact_ids[start : start + BATCH]
        images = find_images(organization_id=export.organization_id, artifact_ids=asked)
        connection.close()
        yield images, asked


def _add(archive: zipfile.ZipFile, image: GalleryImage) -> bool:
    """Copy one image into the archive; False if it was deleted meanwhile."""
    storage = public_storage() if image.is_public else private_storage()
    try:
        stream = storage.open_stream(image.key)
    except ObjectNotFoundError:
        return False
    entry = zipfile.ZipInfo(_name_of(image), image.created_at.timetuple()[:6])
    with stream, archive.open(entry, "w", force_zip64=True) as target:
        for chunk in stream:
            target.write(chunk)
    return True


def _add_manifests(archive: zipfile.ZipFile, export: Export, absent: set[UUID]) -> None:
    """Write both manifests, reading the rows once more for each: prompts may be long."""
    with archive.open("manifest.csv", "w", force_zip64=True) as target:
        target.write(_csv_line(COLUMNS))
        for row in _rows(export, absent):
            target.write(_csv_line([plain_cell(row[name]) for name in COLUMNS]))
    with archive.open("manifest.json", "w", force_zip64=True) as target:
        separator = b"[\n"
        for row in _rows(export, absent):
            target.write(separator + orjson.dumps(row))
            separator = b",\n"
        target.write(b"\n]\n" if separator != b"[\n" else b"[]\n")


def _rows(export: Export, absent: set[UUID]) -> Iterator[dict[str, str]]:
    for images, _ in _batches(export):
        for image in images:
            if image.artifact_id not in absent:
                yield {
                    "file": _name_of(image),
                    "generation_id": request_id(image.generation_id),
                    "prompt": image.prompt,
                    "model": image.model,
                    "price": format_amount(image.price_micros, image.currency),
                    "currency": image.currency,
                    "created": image.created_at.isoformat(),
                }


def _name_of(image: GalleryImage) -> str:
    model = image.model.replace("/", "-")
    ending = _ENDINGS.get(image.content_type, "png")
    return (
        f"{image.created_at:%Y%m%d-%H%M%S}_{model}_"
        f"{request_id(image.generation_id)}_{image.index}.{ending}"
    )


def _csv_line(cells: Sequence[object]) -> bytes:
    text = io.StringIO()
    csv.writer(text, lineterminator="\r\n").writerow(cells)
    return text.getvalue().encode()


def _update(export: Export, **fields: Any) -> None:  # noqa: ANN401 - columns
    """Write progress and renew the claim, if it still stands."""
    rows = Export.objects.filter(id=export.id, claim_token=export.claim_token, status__in=_OPEN)
    kept = rows.update(claimed_at=clock_now(), **fields)
    connection.close()
    if not kept:
        raise _LostError


def _end(export: Export, status: Export.Status) -> None:
    Export.objects.filter(id=export.id, claim_token=export.claim_token).update(
        status=status, finished_at=clock_now()
    )
