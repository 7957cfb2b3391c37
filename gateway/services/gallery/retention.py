"""Deleting images, and blanking prompts, that are past their organization's retention.

Images are withdrawn like those that somebody deletes: first out of every answer, with a note for
the sweeper, then out of storage, so that no crash leaves an image that is shown and not there, or
one that is there and forgotten. Prompts go with whatever repeats them; figures stay, and so does
the caller's `user`, which usage is summed by.
"""

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Final, Literal
from uuid import UUID

from django.db import connection, transaction
from gevent.pool import Pool

from gateway.models import Artifact, Attempt, Generation, Retention
from gateway.services.gallery.deletion import withdraw_artifacts
from gateway.storage import (
    StorageError,
    inputs_prefix,
    private_storage,
    public_storage,
    release_connections,
    request_prefix,
)
from orgs.selectors.organizations import list_retentions
from orgs.services.audit import SYSTEM, Action, Target, record

BATCH: Final = 500
# Of each organization in one run; what is left is the next run's.
LIMIT: Final = 20_000
# Generations whose objects are deleted at the same time.
AT_ONCE: Final = 8
# What a page says at most before it says "more than".
COUNTED: Final = 10_000

# The oldest ones that still have something, found along the index of pages.
_NEXT_IMAGES: Final = """
SELECT id, created_at FROM gateway_generation
WHERE organization_id = %(organization_id)s AND created_at < %(before)s
    AND created_at >= %(since)s AND status = 'succeeded' AND deleted_at IS NULL
ORDER BY created_at, id LIMIT %(limit)s
"""
_NEXT_PROMPTS: Final = """
SELECT id, created_at FROM gateway_generation
WHERE organization_id = %(organization_id)s AND created_at < %(before)s
    AND created_at >= %(since)s AND status IN ('succeeded', 'failed', 'canceled')
    AND (parameters ? 'prompt' OR client_request_id <> '')
ORDER BY created_at, id LIMIT %(limit)s
"""
_BLANK: Final = """
UPDATE gateway_generation SET parameters = parameters - 'prompt', client_request_id = ''
WHERE id = ANY(%s)
"""
_COUNT_IMAGES: Final = """
SELECT count(*) FROM (
    SELECT FROM gateway_generation AS generation
    JOIN gateway_artifact AS artifact
        ON artifact.generation_id = generation.id AND artifact.deleted_at IS NULL
    WHERE generation.organization_id = %(organization_id)s AND generation.created_at < %(before)s
        AND generation.created_at >= %(since)s AND generation.status = 'succeeded'
        AND generation.deleted_at IS NULL
    LIMIT %(limit)s
) AS found
"""
_COUNT_PROMPTS: Final = f"SELECT count(*) FROM ({_NEXT_PROMPTS}) AS found"  # noqa: S608 - constants
_FIRST: Final = datetime(2000, 1, 1, tzinfo=UTC)
_Until = Literal["images_until", "prompts_until"]
logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Loss:
    """What a retention deletes at its next run, each counted up to `COUNTED` and one more."""

    images: int
    prompts: int


def enforce_retention(*, now: datetime, limit: int = LIMIT) -> int:
    """Delete what is past the retention of every organization; return how many generations.

    May be repeated, and run at the same time: each batch is withdrawn once. What storage keeps is
    the sweeper's to delete. Holds no database connection while storage is called.
    """
    done = 0
    for one in list_retentions():
        if one.image_days is not None:
            before = now - timedelta(days=one.image_days)
            done += _delete_images(one.organization_id, before, now, limit)
        if one.prompt_days is not None:
            before = now - timedelta(days=one.prompt_days)
            done += _blank_prompts(one.organization_id, before, limit)
    connection.close()
    return done


def count_loss(
    *, organization_id: UUID, image_days: int | None, prompt_days: int | None, now: datetime
) -> Loss:
    """Return what an organization's images and prompts would lose by a retention of such days."""

    def count(statement: str, name: _Until, days: int | None) -> int:
        if days is None:
            return 0
        params = _params(organization_id, name, now - timedelta(days=days), COUNTED + 1)
        with connection.cursor() as cursor:
            cursor.execute(statement, params)
            return int(cursor.fetchone()[0])

    return Loss(
        images=count(_COUNT_IMAGES, "images_until", image_days),
        prompts=count(_COUNT_PROMPTS, "prompts_until", prompt_days),
    )


def _delete_images(organization_id: UUID, before: datetime, now: datetime, limit: int) -> int:
    done = 0
    while done < limit:
        found = _next(_NEXT_IMAGES, organization_id, "images_until", before)
        ids = [generation_id for generation_id, _ in found]
        if ids:
            _withdraw(organization_id, ids, before, now)
        _remember(organization_id, "images_until", found, before)
        release_connections()
        _delete_objects(organization_id, ids)
        done += len(ids)
        if len(ids) < BATCH:
            break
    return done


def _withdraw(organization_id: UUID, ids: Sequence[UUID], before: datetime, now: datetime) -> None:
    with transaction.atomic(durable=True):
        chosen = Artifact.objects.filter(generation_id__in=ids)
        images = withdraw_artifacts(chosen, now=now, is_expired=True)
        # Of those without any image left, such as by a deletion that was cut short.
        Generation.objects.filter(id__in=ids, deleted_at__isnull=True).update(
            deleted_at=now, is_expired=True, has_stray_objects=True
        )
        if images:
            after = {"images": images, "older_than": before.isoformat()}
            _log(Action.IMAGES_EXPIRED, organization_id, after)


def _delete_objects(organization_id: UUID, ids: Sequence[UUID]) -> None:
    """Delete the objects of withdrawn generations; what is not gone stays noted."""

    def delete(generation_id: UUID) -> UUID | None:
        prefix = request_prefix(organization_id, generation_id)
        try:
            for storage in (public_storage(), private_storage()):
                storage.delete_prefix(prefix)
            private_storage().delete_prefix(inputs_prefix(organization_id, generation_id))
        except StorageError as error:
            logger.warning("retention.delete_failed generation=%s error=%s", generation_id, error)
            return None
        return generation_id

    emptied = [one for one in Pool(AT_ONCE).imap_unordered(delete, ids) if one is not None]
    Generation.objects.filter(id__in=emptied).update(has_stray_objects=False)
    connection.close()


def _blank_prompts(organization_id: UUID, before: datetime, limit: int) -> int:
    done = 0
    while done < limit:
        found = _next(_NEXT_PROMPTS, organization_id, "prompts_until", before)
        ids = [generation_id for generation_id, _ in found]
        with transaction.atomic(durable=True):
            with connection.cursor() as cursor:
                cursor.execute(_BLANK, [ids])
            Artifact.objects.filter(generation_id__in=ids).update(revised_prompt="")
            # What a call gave, prompts as the provider revised them included.
            Attempt.objects.filter(generation_id__in=ids, result__isnull=False).update(result=None)
            if ids:
                after = {"prompts": len(ids), "older_than": before.isoformat()}
                _log(Action.PROMPTS_EXPIRED, organization_id, after)
        _remember(organization_id, "prompts_until", found, before)
        done += len(ids)
        if len(ids) < BATCH:
            break
    return done


def _next(
    statement: str, organization_id: UUID, name: _Until, before: datetime
) -> list[tuple[UUID, datetime]]:
    with connection.cursor() as cursor:
        cursor.execute(statement, _params(organization_id, name, before, BATCH))
        return [(row[0], row[1]) for row in cursor]


def _params(organization_id: UUID, name: _Until, before: datetime, limit: int) -> dict[str, Any]:
    until = Retention.objects.filter(organization_id=organization_id).values_list(name, flat=True)
    return {
        "organization_id": organization_id,
        "since": until.first() or _FIRST,
        "before": before,
        "limit": limit,
    }


def _remember(
    organization_id: UUID, name: _Until, found: Sequence[tuple[UUID, datetime]], before: datetime
) -> None:
    """Keep how far the batch came; what is older has ended long since, and loses nothing more."""
    until = found[-1][1] if len(found) == BATCH else before
    row, _ = Retention.objects.get_or_create(organization_id=organization_id)
    known = getattr(row, name)
    if known is None or known < until:
        setattr(row, name, until)
        row.save(update_fields=[name])


def _log(action: Action, organization_id: UUID, after: Mapping[str, object]) -> None:
    record(
        action=action,
        actor=SYSTEM,
        organization_id=organization_id,
        target=Target("organization", organization_id),
        after=after,
    )
