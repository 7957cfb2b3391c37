"""Purging organizations whose time to cancel their deletion has passed.

Gone afterwards: images, what was sent along, prompts, callers' own words, exports, idempotency keys
and quotes. Generations and attempts stay as figures, without words, beside the ledger's holds.
"""

import logging
from datetime import datetime
from typing import Final
from uuid import UUID

from django.db import connection, transaction

from core.turns import isolated
from gateway.models import Artifact, Attempt, Export, Generation, IdempotencyKey, Quote
from gateway.services.rollups import rebuild_rollups
from gateway.storage import StorageError, private_storage, public_storage, release_connections
from gateway.storage.keys import INPUTS_ROOT
from orgs.selectors.people import list_due_for_purge
from orgs.services.lifecycle import close_purged

BATCH: Final = 1_000
_LIVE: Final = (Generation.Status.QUEUED, Generation.Status.RUNNING)
# Those behind the last one of the batch before.
_NEXT: Final = """
SELECT created_at, id FROM gateway_generation
WHERE organization_id = %s AND (created_at, id) > (%s::timestamptz, %s::uuid)
ORDER BY created_at, id LIMIT %s
"""
_FORGET: Final = """
UPDATE gateway_generation SET parameters = parameters - 'prompt', "user" = '',
    client_request_id = ''
WHERE id = ANY(%s) AND (parameters ? 'prompt' OR "user" <> '' OR client_request_id <> '')
"""
logger = logging.getLogger(__name__)


def purge_due_organizations(*, now: datetime) -> int:
    """Purge every organization that is due; return how many.

    Objects go first: what cannot be deleted now leaves the organization due for the next run, and
    keeps no other from its purge.
    """
    purged = 0
    for organization_id in list_due_for_purge(now=now):
        with isolated("purging", organization=organization_id):
            purged += _purge(organization_id, now)
    return purged


def _purge(organization_id: UUID, now: datetime) -> bool:
    live = Generation.objects.filter(organization_id=organization_id, status__in=_LIVE)
    if live.exists():
        return False
    release_connections()
    try:
        for storage in (public_storage(), private_storage()):
            for root in ("", INPUTS_ROOT):
                storage.delete_prefix(f"{root}{organization_id}/")
    except StorageError as error:
        logger.warning("purging.delete_failed organization=%s error=%s", organization_id, error)
        return False
    _forget(organization_id, now)
    # Callers' words are names of users in the figures, too.
    rebuild_rollups(organization_id=organization_id)
    with transaction.atomic():
        if live.exists():
            return False
        for model in (IdempotencyKey, Quote, Export):
            model.objects.filter(organization_id=organization_id).delete()
        return close_purged(organization_id=organization_id, now=now)


def _forget(organization_id: UUID, now: datetime) -> None:
    """Take the words of an organization's generations, a batch at a time.

    Of a million no single statement would end within the minute that it has.
    """
    last: tuple[datetime | str, UUID] = ("-infinity", UUID(int=0))
    while page := _next(organization_id, last):
        last = page[-1]
        ids = [generation_id for _, generation_id in page]
        with connection.cursor() as cursor:
            cursor.execute(_FORGET, [ids])
        attempts = Attempt.objects.filter(generation__in=ids)
        attempts.filter(result__isnull=False).update(result=None)
        artifacts = Artifact.objects.filter(generation__in=ids)
        artifacts.exclude(revised_prompt="").update(revised_prompt="")
        artifacts.filter(deleted_at__isnull=True).update(deleted_at=now)


def _next(organization_id: UUID, last: tuple[datetime | str, UUID]) -> list[tuple[datetime, UUID]]:
    with connection.cursor() as cursor:
        cursor.execute(_NEXT, [organization_id, *last, BATCH])
        return list(cursor.fetchall())
