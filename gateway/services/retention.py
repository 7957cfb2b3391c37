"""Forgetting what need not be kept."""

from datetime import datetime

from django.db import connection, transaction

from gateway.models import Generation, IdempotencyKey
from gateway.storage import private_storage, public_storage, request_prefix

BATCH = 500


def prune_idempotency_keys(*, before: datetime) -> int:
    """Delete idempotency keys first used before an instant; return how many."""
    deleted, _ = IdempotencyKey.objects.filter(created_at__lt=before).delete()
    return deleted


def delete_expired_test_generations(*, before: datetime) -> int:
    """Delete ended generations of test keys and their images; return how many.

    Objects go first: a crash in between leaves rows that the next run finds again.
    """
    expired = list(
        Generation.objects.select_related("organization").filter(
            livemode=False, finished_at__lt=before
        )[:BATCH]
    )
    connection.close()
    for generation in expired:
        public = generation.organization.image_policy == "public"
        storage = public_storage() if public else private_storage()
        storage.delete_prefix(request_prefix(generation.organization_id, generation.id))
    with transaction.atomic():
        Generation.objects.filter(id__in=[generation.id for generation in expired]).delete()
    return len(expired)
