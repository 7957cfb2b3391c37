"""Ending a generation: settled, failed or expired, exactly once.

Each ending is one durable transaction that starts with a compare-and-set of the generation's row,
so of a worker, the sweeper and a waiting request only one ends it; with the generation its hold.
Whichever it is, here it is counted.
"""

import time
from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import datetime
from uuid import UUID

from django.db import transaction
from django.db.models import Q

from billing.services.holds import release_hold
from billing.services.transactions import retrying
from core.queue import announce_done
from gateway.metrics import STAGE_DURATION, count_images
from gateway.models import Artifact, Attempt, Generation, IdempotencyKey, Quote
from gateway.services.runs.attempts import EndedAttempt, count_attempt
from gateway.services.runs.progress import REFUSALS
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
    queue: str,
    claim: Claim | None,
    images: Sequence[StoredImage],
    delivery: Delivery,
    now: datetime,
    ended: EndedAttempt | None = None,
) -> bool:
    """Record the stored images, capture their price and release the rest.

    Args:
        generation_id: The generation.
        queue: Under which it is counted.
        claim: The worker's claim, which must still stand; None when the sweeper settles a dead
            worker's job from its stored objects.
        images: At least one.
        delivery: What the answer will say.
        now: The instant of the capture.
        ended: The attempt that made the images, which ends with the generation.

    Returns:
        False when the generation had ended or been given to another worker; nothing is written.
    """
    began = time.monotonic()
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
        STAGE_DURATION.labels("settle", queue).observe(time.monotonic() - began)
        if ended is not None:
            count_attempt(ended.attempt, ended.outcome)
        outcomes = Counter(str(one["outcome"]) for one in delivery.undelivered)
        _tell(generation_id, queue, {"delivered": len(images), **outcomes})
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
    return _fail(still_open, generation_id, failure, now)


def expire_generation(*, generation_id: UUID, now: datetime) -> bool:
    """Fail a generation whose deadline has passed, whoever notices: worker, sweeper or request."""
    overdue = Q(id=generation_id, status__in=OPEN, deadline_at__lte=now)
    return _fail(overdue, generation_id, TIMEOUT, now)


def _fail(still_open: Q, generation_id: UUID, failure: Failure, now: datetime) -> bool:
    failed = retrying(
        lambda: _end(still_open, generation_id, failure, now),
        committed=lambda: _find_failed(generation_id, failure, now),
    )
    if failed is None:
        return False
    queue, images = failed
    _tell(generation_id, queue, {"moderated" if failure.code in REFUSALS else "failed": images})
    return True


def _tell(generation_id: UUID, queue: str, outcomes: Mapping[str, int]) -> None:
    """Count the images of a generation that has ended, and wake whoever waits for it."""
    release_connections()
    count_images(queue, outcomes)
    announce_done(generation_id)


def _find_failed(generation_id: UUID, failure: Failure, now: datetime) -> tuple[str, int] | None:
    """Return what a transaction of unknown outcome did fail, as `_end` does."""
    return (
        Generation.objects.filter(
            id=generation_id,
            status=Generation.Status.FAILED,
            error__code=failure.code,
            finished_at=now,
        )
        .values_list("queue", "parameters__n")
        .first()
    )


def _is_settled(generation_id: UUID, images: Sequence[StoredImage]) -> bool:
    """Return whether a transaction of unknown outcome did commit this very settlement."""
    return Artifact.objects.filter(
        generation_id=generation_id, sha256=images[0].sha256, index=images[0].index
    ).exists()


def _end(
    still_open: Q, generation_id: UUID, failure: Failure, now: datetime
) -> tuple[str, int] | None:
    """Return the queue and the number of images of what it failed; None where nothing was open."""
    with transaction.atomic(durable=True):
        if failure.retryable:
            # Lock order: idempotency row and quote before generation.
            list(IdempotencyKey.objects.select_for_update().filter(generation_id=generation_id))
            list(Quote.objects.select_for_update().filter(generation_id=generation_id))
        ended = (
            Generation.objects.select_for_update()
            .filter(still_open)
            .values_list(
                "livemode",
                "organization_id",
                "queue",
                "parameters__n",
                is_wanted(EventType.GENERATION_FAILED),
            )
            .first()
        )
        if ended is None:
            return None
        livemode, organization_id, queue, images, is_awaited = ended
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
    return queue, images
