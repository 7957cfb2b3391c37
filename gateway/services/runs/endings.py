"""Ending a generation: settled, failed or expired, exactly once.

Each ending is one durable transaction that starts with a compare-and-set of the generation's row,
so of a worker, the sweeper and a waiting request only one ends it; with the generation its hold.
"""

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from django.db import transaction
from django.db.models import Q

from billing.services.holds import release_hold
from billing.services.transactions import retrying
from core.queue import announce_done
from gateway.models import Artifact, Attempt, Generation, IdempotencyKey, Quote
from gateway.services.runs.attempts import EndedAttempt
from gateway.services.runs.settling import settle
from gateway.storage import release_connections
from gateway.types import Claim, Delivery, Failure, StoredImage
from orgs.services.outbox import EventType, is_wanted, write_event

OPEN = (Generation.Status.QUEUED, Generation.Status.RUNNING)
TIMEOUT = Failure(
    code="generation_timeout",
    category="unavailable",
    message=(
        "The generation did not finish before its deadline and was ended. You were not charged."
    ),
    retryable=False,
)


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
        lambda: settle(
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

    A retryable failure also forgets its idempotency keys and gives its quote back, so that the same
    request may be sent again.
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


def _is_settled(generation_id: UUID, images: Sequence[StoredImage]) -> bool:
    """Return whether a transaction of unknown outcome did commit this very settlement."""
    return Artifact.objects.filter(
        generation_id=generation_id, sha256=images[0].sha256, index=images[0].index
    ).exists()


def _end(still_open: Q, generation_id: UUID, failure: Failure, now: datetime) -> bool:
    with transaction.atomic(durable=True):
        if failure.retryable:
            # Lock order: idempotency row and quote before generation.
            list(IdempotencyKey.objects.select_for_update().filter(generation_id=generation_id))
            list(Quote.objects.select_for_update().filter(generation_id=generation_id))
        ended = (
            Generation.objects.select_for_update()
            .filter(still_open)
            .values_list("livemode", "organization_id", is_wanted(EventType.GENERATION_FAILED))
            .first()
        )
        if ended is None:
            return False
        livemode, organization_id, is_awaited = ended
        Generation.objects.filter(id=generation_id).update(
            status=Generation.Status.FAILED,
            error=failure.as_json(),
            finished_at=now,
            has_stray_objects=True,
        )
        if livemode:
            release_hold(reference=str(generation_id), now=now)
        if is_awaited:
            write_event(
                organization_id=organization_id,
                kind=EventType.GENERATION_FAILED,
                data={"generation_id": str(generation_id)},
                now=now,
            )
        if failure.retryable:
            IdempotencyKey.objects.filter(generation_id=generation_id).delete()
            Quote.objects.filter(generation_id=generation_id).update(
                generation_id=None, used_at=None
            )
        Attempt.objects.filter(
            generation_id=generation_id, status=Attempt.Status.STARTED, finished_at__isnull=True
        ).update(status=Attempt.Status.UNKNOWN)
    return True
