"""Attempts: each call to a provider is recorded before it is made, and with what it cost us."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

import orjson
from django.db import connection, transaction

from billing.money import round_half_up_micro
from billing.services.costs import post_attempt_cost
from billing.services.transactions import retrying
from core.ids import new_uuid
from gateway.metrics import ATTEMPT_COST, ATTEMPTS
from gateway.models import Attempt
from gateway.services.routing import SANDBOX, Step
from gateway.services.runs.progress import Made
from gateway.types import Claim


@dataclass(frozen=True, slots=True)
class Outcome:
    """How an attempt ended.

    Attributes:
        cost: In USD.
        made: What it stored, to be kept until the generation's other calls have ended.
        received_at: When all that the provider sent had arrived.
    """

    status: Attempt.Status
    cost: Decimal = Decimal(0)
    upstream_request_id: str = ""
    error_code: str = ""
    error_message: str = ""
    upstream_status: int | None = None
    moderated: tuple[int, ...] = ()
    made: Made | None = None
    received_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class EndedAttempt:
    """An attempt with its outcome, to be written in the transaction that settles its generation."""

    attempt: Attempt
    outcome: Outcome


_START = """
WITH ours AS (
    SELECT generation.id
    FROM gateway_generation AS generation
    JOIN gateway_process AS process ON process.id = generation.worker_id
    WHERE generation.id = %(generation_id)s AND generation.status = 'running'
        AND generation.claim_token = %(claim_token)s AND generation.deadline_at > %(now)s
        AND process.ended_at IS NULL
    FOR UPDATE OF generation
)
INSERT INTO gateway_attempt (
    id, generation_id, number, provider, upstream_model, is_sandboxed, claim_token, started_at,
    indexes, status, upstream_id, upstream_request_id, error_code, error_message, cost_micros
)
SELECT %(id)s::uuid, ours.id, %(number)s::smallint, %(provider)s,
    %(upstream_model)s, %(is_sandboxed)s::boolean, %(claim_token)s::uuid,
    %(now)s::timestamptz, %(indexes)s::smallint[], 'started', '', '', '', '', 0
FROM ours
ON CONFLICT (id) DO UPDATE SET started_at = excluded.started_at
RETURNING id
"""
END = """
UPDATE gateway_attempt
SET status = %(attempt_status)s, upstream_request_id = %(attempt_upstream_request_id)s,
    error_code = %(attempt_error_code)s, error_message = %(attempt_error_message)s,
    upstream_status = %(attempt_upstream_status)s::integer, cost_micros = %(attempt_cost_micros)s,
    received_at = %(attempt_received_at)s::timestamptz, finished_at = %(attempt_now)s,
    moderated = %(attempt_moderated)s::smallint[], result = %(attempt_result)s::jsonb
WHERE id = %(attempt_id)s AND claim_token = %(attempt_claim_token)s AND finished_at IS NULL
"""


def start_attempt(attempt: Attempt) -> bool:
    """Record an attempt that is about to be made; False when the claim was lost or time is up.

    A claim is lost with its worker's lease, even before the sweeper hands the generation on. Its
    holder alone gives out numbers. May be repeated when its outcome is not known.
    """
    with connection.cursor() as cursor:
        cursor.execute(
            _START,
            {
                "id": attempt.id,
                "generation_id": attempt.generation_id,
                "number": attempt.number,
                "indexes": attempt.indexes,
                "provider": attempt.provider,
                "upstream_model": attempt.upstream_model,
                "is_sandboxed": attempt.is_sandboxed,
                "claim_token": attempt.claim_token,
                "now": attempt.started_at,
            },
        )
        return cursor.fetchone() is not None


def new_attempt(
    *, claim: Claim, step: Step, number: int, indexes: Sequence[int], now: datetime
) -> Attempt:
    """Return an attempt that is not recorded yet."""
    return Attempt(
        id=new_uuid(),
        generation_id=claim.generation_id,
        number=number,
        indexes=list(indexes),
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
    ours = Attempt.objects.filter(id=attempt.id, claim_token=attempt.claim_token, finished_at=now)
    if retrying(
        lambda: write_end(attempt=attempt, outcome=outcome, now=now),
        committed=lambda: ours.exists() or None,
    ):
        count_attempt(attempt, outcome)


def write_end(*, attempt: Attempt, outcome: Outcome, now: datetime) -> bool:
    """Do as `end_attempt`, once, joining the caller's transaction; False if nothing changed."""
    cost = cost_of(attempt, outcome)
    with transaction.atomic(savepoint=False), connection.cursor() as cursor:
        cursor.execute(END, end_params(attempt, outcome, now))
        is_ended = bool(cursor.rowcount)
        if is_ended and cost:
            post_attempt_cost(
                attempt_reference=str(attempt.id), provider=attempt.provider, amount=cost, now=now
            )
    return is_ended


def count_attempt(attempt: Attempt, outcome: Outcome) -> None:
    """Count an attempt whose end is written."""
    provider = SANDBOX if attempt.is_sandboxed else attempt.provider
    ATTEMPTS.labels(provider, outcome.status.value).inc()
    if cost := cost_of(attempt, outcome):
        ATTEMPT_COST.labels(provider, "USD").inc(round_half_up_micro(cost))


def cost_of(attempt: Attempt, outcome: Outcome) -> Decimal:
    """Return what an attempt costs us in USD; the sandbox costs nothing."""
    return Decimal(0) if attempt.is_sandboxed else outcome.cost


def end_params(attempt: Attempt, outcome: Outcome, now: datetime) -> dict[str, Any]:
    """Return the parameters of `END`."""
    made = None if outcome.made is None else orjson.dumps(outcome.made.as_json()).decode()
    return {
        "attempt_id": attempt.id,
        "attempt_claim_token": attempt.claim_token,
        "attempt_status": outcome.status.value,
        "attempt_upstream_request_id": outcome.upstream_request_id[:200],
        "attempt_error_code": outcome.error_code[:100],
        "attempt_error_message": outcome.error_message[:500],
        "attempt_upstream_status": outcome.upstream_status,
        "attempt_cost_micros": round_half_up_micro(cost_of(attempt, outcome)),
        "attempt_moderated": list(outcome.moderated),
        "attempt_result": made,
        "attempt_received_at": outcome.received_at,
        "attempt_now": now,
    }


def disown_attempts(generation_id: UUID) -> None:
    """Take a generation's open attempts from their worker, which may be frozen and not dead.

    Else it would, on waking, end the attempt whose upstream job its successor is to resume, and the
    successor would submit, and pay for, a second one.
    """
    Attempt.objects.filter(generation_id=generation_id, finished_at__isnull=True).update(
        claim_token=new_uuid()
    )


def attempts_of(generation_id: UUID) -> list[Attempt]:
    """Return a generation's attempts in the order of their numbers."""
    return list(Attempt.objects.filter(generation_id=generation_id).order_by("number"))
