"""Attempts that cost money and delivered nothing."""

from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from typing import Any, Final
from uuid import UUID

from django.db import connection

_LOST: Final = """
FROM gateway_attempt AS attempt
JOIN gateway_generation AS generation ON generation.id = attempt.generation_id
WHERE attempt.cost_micros > 0 AND attempt.status IN ('failed', 'refused', 'late', 'unknown')
    AND attempt.finished_at >= %(begins)s AND attempt.finished_at < %(ends)s
    AND (%(provider)s::text IS NULL OR attempt.provider = %(provider)s)
    AND (%(model)s::text IS NULL OR generation.model = %(model)s)
    AND (%(status)s::text IS NULL OR attempt.status = %(status)s)
"""
_GROUPED: Final = f"""
SELECT attempt.provider, generation.model, attempt.status, count(*),
    sum(attempt.cost_micros)::bigint
{_LOST}
GROUP BY 1, 2, 3 ORDER BY 5 DESC, 1, 2, 3
"""
_LINES: Final = f"""
SELECT attempt.finished_at, attempt.id, attempt.generation_id, attempt.number, attempt.provider,
    generation.model, attempt.status, attempt.error_code, generation.status, attempt.cost_micros,
    entry.id
{
    _LOST.replace(
        "WHERE",
        '''
LEFT JOIN billing_journalentry AS entry
    ON entry.idempotency_key = 'attempt:' || attempt.id::text
WHERE''',
        1,
    )
}
    AND (attempt.finished_at, attempt.id) > (%(after_at)s::timestamptz, %(after_id)s::uuid)
ORDER BY attempt.finished_at, attempt.id LIMIT %(limit)s
"""


@dataclass(frozen=True, slots=True)
class LossScope:
    """Of which days of UTC, both included, and of what; None is all."""

    first: date
    last: date
    provider: str | None = None
    model: str | None = None
    status: str | None = None


@dataclass(frozen=True, slots=True)
class Loss:
    """Attempts of one provider, model and outcome, and what they cost in micros of USD."""

    provider: str
    model: str
    status: str
    count: int
    micros: int


@dataclass(frozen=True, slots=True)
class LostAttempt:
    """One such attempt, how its generation ended all the same, and the entry of its cost."""

    finished_at: datetime
    id: UUID
    generation_id: UUID
    number: int
    provider: str
    model: str
    status: str
    error_code: str
    generation_status: str
    micros: int
    entry_id: UUID | None


def list_losses(scope: LossScope) -> list[Loss]:
    """Return the sums by provider, model and outcome, the dearest first."""
    with connection.cursor() as cursor:
        cursor.execute(_GROUPED, _params(scope))
        return [Loss(*row) for row in cursor.fetchall()]


def list_lost_attempts(
    scope: LossScope, *, limit: int, after: tuple[datetime, UUID] | None = None
) -> list[LostAttempt]:
    """Return the attempts that a scope's figure sums up, in order of their end."""
    params = _params(scope)
    at, attempt_id = after or (params["begins"], UUID(int=0))
    with connection.cursor() as cursor:
        cursor.execute(_LINES, {**params, "after_at": at, "after_id": attempt_id, "limit": limit})
        return [LostAttempt(*row) for row in cursor.fetchall()]


def _params(scope: LossScope) -> dict[str, Any]:
    return {
        "begins": datetime.combine(scope.first, time.min, UTC),
        "ends": datetime.combine(scope.last + timedelta(days=1), time.min, UTC),
        "provider": scope.provider,
        "model": scope.model,
        "status": scope.status,
    }
