"""Partial images: shown while an image is made, kept in the private bucket until shortly after.

A partial is stored, counted in its generation's row, and then announced. The count is the truth: a
lost message is made up for by the next look at the row. Partials are a courtesy, so that whatever
keeps one from being stored costs the caller that one and nothing else.
"""

import hashlib
import logging
import random
from datetime import datetime, timedelta

from django.conf import settings
from django.db import InterfaceError, OperationalError, connection

from core.queue import announce_partials
from gateway.images import ImageRejected, inspect_image
from gateway.models import Generation
from gateway.services.runs.jobs import Run
from gateway.storage import StorageError, partial_key, partials_prefix, private_storage
from gateway.types import Claim

KEPT_FOR = timedelta(minutes=10)
BATCH = 200
DRAWN_FROM = 50 * BATCH
CACHE_CONTROL = "private, no-store"
logger = logging.getLogger(__name__)


def keep_partial(run: Run, data: bytes) -> None:
    """Store a partial image under the generation's next index, and announce it.

    Holds no database connection while S3 is called. A claim that was lost meanwhile counts nothing.
    """
    generation_id = run.claim.generation_id
    try:
        info = inspect_image(
            data, max_bytes=settings.IMAGE_MAX_BYTES, max_pixels=settings.IMAGE_MAX_PIXELS
        )
        index = _next_index(run)
        private_storage().put_image(
            partial_key(run.organization_id, generation_id, index),
            data,
            content_type=info.content_type,
            cache_control=CACHE_CONTROL,
            sha256=hashlib.sha256(data).hexdigest(),
        )
        counted = _count(run.claim, index + 1)
    except (ImageRejected, StorageError, InterfaceError, OperationalError) as error:
        logger.warning("partial.not_kept generation=%s error=%s", generation_id, error)
        return
    finally:
        connection.close()
    if counted:
        run.partials = index + 1
        announce_partials(generation_id, index + 1)


def delete_partials(generation: Generation) -> None:
    """Delete a generation's partial images."""
    connection.close()
    prefix = partials_prefix(generation.organization_id, generation.id)
    private_storage().delete_prefix(prefix)
    Generation.objects.filter(id=generation.id).update(partials=0)


def generations_with_old_partials(now: datetime) -> list[Generation]:
    """Return generations that ended long enough ago for their partial images to go.

    Drawn by lot, so that those whose images hang for good keep no other waiting.
    """
    ids = (
        Generation.objects.filter(partials__gt=0, finished_at__lt=now - KEPT_FOR)
        .order_by("finished_at")
        .values_list("id", flat=True)[:DRAWN_FROM]
    )
    return list(Generation.objects.filter(id__in=random.sample(list(ids), min(len(ids), BATCH))))


def _next_index(run: Run) -> int:
    """Return the next index, which counts on over retries, routes and workers."""
    if run.partials is None:
        rows = Generation.objects.filter(id=run.claim.generation_id)
        run.partials = rows.values_list("partials", flat=True).get()
        connection.close()
    return run.partials


def _count(claim: Claim, count: int) -> bool:
    """Write the new count, if the claim still stands."""
    rows = Generation.objects.filter(
        id=claim.generation_id, status=Generation.Status.RUNNING, claim_token=claim.token
    )
    return bool(rows.update(partials=count))
