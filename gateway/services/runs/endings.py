"""Ending a generation: settled, failed or expired, exactly once.

Each ending is one durable transaction that starts with a compare-and-set of the generation's row,
so of a worker, the sweeper and a waiting request only one ends it; with the generation its hold.
"""

from collections.abc import Sequence
from dataclasses import asdict
from datetime import datetime
from uuid import UUID

import orjson
from django.db import connection, transaction
from django.db.models import Q

from billing.errors import LedgerCorruptError
from billing.services.holds import capture_hold, release_hold
from billing.services.transactions import retrying
from core.ids import new_uuid
from core.queue import announce_done
from gateway.models import Artifact, Attempt, Generation, IdempotencyKey
from gateway.services.runs.attempts import EndedAttempt, write_end
from gateway.storage import release_connections
from gateway.types import Claim, Delivery, Failure, StoredImage

OPEN = (Generation.Status.QUEUED, Generation.Status.RUNNING)
TIMEOUT = Failure(
    code="generation_timeout",
    category="unavailable",
    message=(
        "The generation did not finish before its deadline and was ended. You were not charged."
    ),
    retryable=False,
)

# The compare-and-set comes first: it locks the row, and without it nothing is inserted.
_SETTLE = """
WITH ended AS (
    UPDATE gateway_generation
    SET status = 'succeeded', finished_at = %(now)s, served_by = %(served_by)s,
        image_adjusted = %(image_adjusted)s, usage = %(usage)s::jsonb,
        undelivered = %(undelivered)s::jsonb,
        charged_micros = CASE WHEN livemode THEN unit_micros * %(count)s::integer ELSE 0 END,
        dropped_parameters = dropped_parameters || coalesce((
            SELECT jsonb_agg(name)
            FROM jsonb_array_elements(%(dropped)s::jsonb) AS dropped (name)
            WHERE NOT dropped_parameters @> name
        ), '[]')
    WHERE id = %(generation_id)s AND status = 'running' AND deadline_at > clock_timestamp()
        AND (%(token)s::uuid IS NULL OR claim_token = %(token)s::uuid)
    RETURNING id, livemode, charged_micros
), artifact AS (
    INSERT INTO gateway_artifact (
        id, generation_id, index, is_public, key, content_type, sha256, size_bytes, width, height,
        revised_prompt, seed, created_at
    )
    SELECT image.id, ended.id, image.index, image.is_public, image.key, image.content_type,
        decode(image.sha256, 'hex'), image.size_bytes, image.width, image.height,
        image.revised_prompt, image.seed, %(now)s::timestamptz
    FROM ended, jsonb_to_recordset(%(images)s::jsonb) AS image (
        id uuid, index integer, is_public boolean, key text, content_type text, sha256 text,
        size_bytes bigint, width integer, height integer, revised_prompt text, seed bigint
    )
)
SELECT livemode, charged_micros FROM ended
"""


def settle_generation(
    *,
    generation_id: UUID,
    claim: Claim | None,
    images: Sequence[StoredImage],
    delivery: Delivery,
    now: datetime,
    ended: EndedAttempt | None = None,
) -> bool:
    """Record the stored images, capture their price and release the rest.

    Args:
        generation_id: The generation.
        claim: The worker's claim, which must still stand; None when the sweeper settles a dead
            worker's job from its stored objects.
        images: At least one.
        delivery: What the answer will say.
        now: The instant of the capture.
        ended: The attempt that made the images, which ends with the generation.

    Returns:
        False when the generation had ended or been given to another worker; nothing is written.
    """
    settled = retrying(
        lambda: _settle(
            generation_id=generation_id,
            claim=claim,
            images=images,
            delivery=delivery,
            now=now,
            ended=ended,
        ),
        committed=lambda: True if _is_settled(generation_id, images) else None,
    )
    if settled:
        release_connections()
        announce_done(generation_id)
    return settled


def fail_generation(
    *, generation_id: UUID, failure: Failure, claim: Claim | None, now: datetime
) -> bool:
    """Fail a generation and release its hold; False when it had ended or the claim was lost.

    A retryable failure also forgets its idempotency keys, so that the same key may try again.
    """
    still_open = Q(id=generation_id, status__in=OPEN)
    if claim is not None:
        still_open &= Q(claim_token=claim.token)
    failed = retrying(
        lambda: _end(still_open, generation_id, failure, now),
        committed=lambda: None,
    )
    if failed:
        release_connections()
        announce_done(generation_id)
    return failed


def expire_generation(*, generation_id: UUID, now: datetime) -> bool:
    """Fail a generation whose deadline has passed, whoever notices: worker, sweeper or request."""
    overdue = Q(id=generation_id, status__in=OPEN, deadline_at__lte=now)
    expired = retrying(lambda: _end(overdue, generation_id, TIMEOUT, now), committed=lambda: None)
    if expired:
        release_connections()
        announce_done(generation_id)
    return expired


def _settle(
    *,
    generation_id: UUID,
    claim: Claim | None,
    images: Sequence[StoredImage],
    delivery: Delivery,
    now: datetime,
    ended: EndedAttempt | None,
) -> bool:
    ids = [new_uuid() for _ in images]
    rows = [
        {**asdict(image), "id": key, "sha256": image.sha256.hex()}
        for key, image in zip(ids, images, strict=True)
    ]
    params = {
        "generation_id": generation_id,
        "token": None if claim is None else claim.token,
        "served_by": delivery.served_by[:100],
        "image_adjusted": delivery.image_adjusted,
        "undelivered": orjson.dumps(list(delivery.undelivered)).decode(),
        "usage": None if delivery.usage is None else orjson.dumps(delivery.usage).decode(),
        "dropped": orjson.dumps(list(delivery.dropped)).decode(),
        "now": now,
        "count": len(images),
        "images": orjson.dumps(rows).decode(),
    }
    with transaction.atomic(durable=True), connection.cursor() as cursor:
        cursor.execute(_SETTLE, params)
        row = cursor.fetchone()
        if row is None:
            return False
        livemode, charged_micros = row
        if ended is not None:
            write_end(attempt=ended.attempt, outcome=ended.outcome, now=now)
        if livemode:
            captured = capture_hold(
                reference=str(generation_id), artifact_references=list(map(str, ids)), now=now
            )
            if captured.amount_micros != charged_micros:
                raise LedgerCorruptError(f"The hold of {generation_id} has another price.")
    return True


def _is_settled(generation_id: UUID, images: Sequence[StoredImage]) -> bool:
    """Return whether a transaction of unknown outcome did commit this very settlement."""
    return Artifact.objects.filter(
        generation_id=generation_id, sha256=images[0].sha256, index=images[0].index
    ).exists()


def _end(still_open: Q, generation_id: UUID, failure: Failure, now: datetime) -> bool:
    with transaction.atomic(durable=True):
        if failure.retryable:
            # Lock order: idempotency row before generation. The rows go only if the generation does
            # end here; a failed compare-and-set below rolls this back.
            list(IdempotencyKey.objects.select_for_update().filter(generation_id=generation_id))
        ended = (
            Generation.objects.select_for_update()
            .filter(still_open)
            .values_list("livemode", flat=True)
            .first()
        )
        if ended is None:
            return False
        Generation.objects.filter(id=generation_id).update(
            status=Generation.Status.FAILED,
            error=failure.as_json(),
            finished_at=now,
            has_stray_objects=True,
        )
        if ended:
            release_hold(reference=str(generation_id), now=now)
        if failure.retryable:
            IdempotencyKey.objects.filter(generation_id=generation_id).delete()
        Attempt.objects.filter(
            generation_id=generation_id, status=Attempt.Status.STARTED, finished_at__isnull=True
        ).update(status=Attempt.Status.UNKNOWN)
    return True
