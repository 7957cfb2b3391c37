"""Purging organizations whose time to cancel their deletion has passed.

Gone afterwards: images, what was sent along, prompts, callers' own words, exports, idempotency keys
and quotes. Generations and attempts stay as figures, without words, beside the ledger's holds.
"""

import logging
from datetime import datetime
from typing import Final
from uuid import UUID

from django.db import connection, transaction

from gateway.models import Artifact, Attempt, Export, Generation, IdempotencyKey, Quote
from gateway.services.rollups import rebuild_rollups
from gateway.storage import StorageError, private_storage, public_storage, release_connections
from gateway.storage.keys import INPUTS_ROOT
from orgs.selectors.people import list_due_for_purge
from orgs.services.lifecycle import close_purged

BATCH: Final = 1_000
_LIVE: Final = (Generation.Status.QUEUED, Generation.Status.RUNNING)
# One batch of generations that still have words; the prompt's absence marks those that are done.
_FORGET: Final = """
UPDATE gateway_generation SET parameters = parameters - 'prompt', "user" = '',
    client_request_id = ''
WHERE id IN (
    SELECT id FROM gateway_generation
    WHERE organization_id = %s
        AND (parameters ? 'prompt' OR "user" <> '' OR client_request_id <> '')
    LIMIT %s
)
"""
logger = logging.getLogger(__name__)


def purge_due_organizations(*, now: datetime) -> int:
    """Purge every organization that is due; return how many.

    Objects go first: what cannot be deleted now leaves the organization due for the next run.
    """
    return sum(_purge(organization_id, now) for organization_id in list_due_for_purge(now=now))


def _purge(organization_id: UUID, now: datetime) -> bool:
    own = {"organization_id": organization_id}
    if Generation.objects.filter(**own, status__in=_LIVE).exists():
        return False
    release_connections()
    try:
        for storage in (public_storage(), private_storage()):
            for root in ("", INPUTS_ROOT):
                storage.delete_prefix(f"{root}{organization_id}/")
    except StorageError as error:
        logger.warning("purging.delete_failed organization=%s error=%s", organization_id, error)
        return False
    while _forget(organization_id):
        pass
    attempts = Attempt.objects.filter(generation__organization_id=organization_id)
    attempts.filter(result__isnull=False).update(result=None)
    artifacts = Artifact.objects.filter(generation__organization_id=organization_id)
    artifacts.exclude(revised_prompt="").update(revised_prompt="")
    artifacts.filter(deleted_at__isnull=True).update(deleted_at=now)
    # Callers' words are names of users in the figures, too.
    rebuild_rollups(organization_id=organization_id)
    with transaction.atomic():
        for model in (IdempotencyKey, Quote, Export):
            model.objects.filter(**own).delete()
        return close_purged(organization_id=organization_id, now=now)


def _forget(organization_id: UUID) -> int:
    with connection.cursor() as cursor:
        cursor.execute(_FORGET, [organization_id, BATCH])
        return int(cursor.rowcount)
