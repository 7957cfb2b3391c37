"""Attempts: each call to a provider is recorded before it is made, and with what it cost us."""

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from uuid import UUID

from django.db import transaction

from billing.money import round_half_up_micro
from billing.services.costs import post_attempt_cost
from billing.services.transactions import retrying
from core.ids import new_uuid
from gateway.models import Attempt, Generation
from gateway.services.routing import SANDBOX, Step
from gateway.types import Claim


@dataclass(frozen=True, slots=True)
class Outcome:
    """How an attempt ended. `cost` is in USD."""

    status: Attempt.Status
    cost: Decimal = Decimal(0)
    upstream_request_id: str = ""
    error_code: str = ""
    error_message: str = ""
    upstream_status: int | None = None


def start_attempt(*, claim: Claim, step: Step, now: datetime) -> Attempt | None:
    """Record an attempt that is about to be made; None when the claim was lost or time is up."""
    with transaction.atomic():
        ours = (
            Generation.objects.select_for_update()
            .filter(
                id=claim.generation_id,
                status=Generation.Status.RUNNING,
                claim_token=claim.token,
                deadline_at__gt=now,
            )
            .exists()
        )
        if not ours:
            return None
        number = Attempt.objects.filter(generation_id=claim.generation_id).count() + 1
        return Attempt.objects.create(
            id=new_uuid(),
            generation_id=claim.generation_id,
            number=number,
            provider=step["provider"],
            upstream_model=step["upstream_model"],
            is_sandboxed=step["queue"] == SANDBOX,
            claim_token=claim.token,
            started_at=now,
        )


def save_upstream_id(*, attempt_id: UUID, upstream_id: str) -> None:
    """Keep the upstream's job id, by which the job is found again after a crash."""
    Attempt.objects.filter(id=attempt_id).update(upstream_id=upstream_id[:200])


def end_attempt(*, attempt: Attempt, outcome: Outcome, now: datetime) -> None:
    """Record how an attempt ended and post what it cost us. A second call changes nothing.

    Nor does one by a worker whose attempt was disowned: another one collects the job.
    """
    cost = Decimal(0) if attempt.is_sandboxed else outcome.cost

    def work() -> None:
        with transaction.atomic():
            ended = Attempt.objects.filter(
                id=attempt.id, claim_token=attempt.claim_token, finished_at__isnull=True
            ).update(
                status=outcome.status,
                upstream_request_id=outcome.upstream_request_id[:200],
                error_code=outcome.error_code[:100],
                error_message=outcome.error_message[:500],
                upstream_status=outcome.upstream_status,
                cost_micros=round_half_up_micro(cost),
                finished_at=now,
            )
            if ended and round_half_up_micro(cost):
                post_attempt_cost(
                    attempt_reference=str(attempt.id),
                    provider=attempt.provider,
                    amount=cost,
                    now=now,
                )

    retrying(work)


def disown_attempts(generation_id: UUID) -> None:
    """Take a generation's open attempts from their worker, which may be frozen and not dead.

    Else it would, on waking, end the attempt whose upstream job its successor is to resume, and the
    successor would submit, and pay for, a second one.
    """
    Attempt.objects.filter(generation_id=generation_id, finished_at__isnull=True).update(
        claim_token=new_uuid()
    )


def open_attempt(generation_id: UUID) -> Attempt | None:
    """Return the attempt a dead worker left behind, if its outcome is unknown."""
    return (
        Attempt.objects.filter(
            generation_id=generation_id, status=Attempt.Status.STARTED, finished_at__isnull=True
        )
        .order_by("-number")
        .first()
    )
