"""Forgetting what need not be kept."""

import logging
from datetime import datetime
from uuid import UUID

from django.db import connection

from gateway.models import Generation, IdempotencyKey, Quote
from gateway.storage import StorageError, private_storage, public_storage, request_prefix

BATCH = 500
logger = logging.getLogger(__name__)


def prune_idempotency_keys(*, before: datetime) -> int:
    """Delete idempotency keys first used before an instant; return how many."""
    deleted, _ = IdempotencyKey.objects.filter(created_at__lt=before).delete()
    return deleted


def prune_quotes(*, before: datetime) -> int:
    """Delete quotes that expired before an instant; return how many.

    What a used one promised is in its generation's hold.
    """
    deleted, _ = Quote.objects.filter(expires_at__lt=before).delete()
    return deleted


def delete_expired_test_generations(*, before: datetime) -> int:
    """Delete ended generations of test keys and their images; return how many.

    Objects go first: a crash in between leaves rows that the next run finds again, and so does an
    object that cannot be deleted now.
    """
    deleted = 0
    last: UUID | None = None
    while expired := _expired_test_generations(before, last):
        last = expired[-1].id
        connection.close()
        emptied = [generation.id for generation in expired if _delete_objects(generation)]
        Generation.objects.filter(id__in=emptied).delete()
        deleted += len(emptied)
    return deleted


def _expired_test_generations(before: datetime, after: UUID | None) -> list[Generation]:
    rows = Generation.objects.select_related("organization").filter(
        livemode=False, finished_at__lt=before
    )
    if after is not None:
        rows = rows.filter(id__gt=after)
    return list(rows.order_by("id")[:BATCH])


def _delete_objects(generation: Generation) -> bool:
    """Delete from both buckets: thumbnails are in the private one, whatever the policy."""
    prefix = request_prefix(generation.organization_id, generation.id)
    try:
        for storage in (public_storage(), private_storage()):
            storage.delete_prefix(prefix)
    except StorageError as error:
        logger.warning("retention.delete_failed generation=%s error=%s", generation.id, error)
        return False
    return True
