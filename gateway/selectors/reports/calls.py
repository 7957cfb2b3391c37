"""Calls to providers that cost something, by day of UTC and upstream model."""

from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from typing import Final
from uuid import UUID

from django.db import connection

from billing.types import BookedCalls, CallCell

_BOOKED: Final = """
SELECT (finished_at AT TIME ZONE 'UTC')::date, upstream_model, count(*),
    sum(cardinality(indexes))::bigint, sum(cost_micros)::bigint,
    count(*) FILTER (WHERE (finished_at AT TIME ZONE 'UTC')::time < '00:10'),
    count(*) FILTER (WHERE (finished_at AT TIME ZONE 'UTC')::time >= '23:50')
FROM gateway_attempt
WHERE provider = %s AND NOT is_sandboxed AND finished_at >= %s AND finished_at < %s
    AND cost_micros > 0
GROUP BY 1, 2
"""
_CALLS: Final = """
SELECT attempt.finished_at, attempt.id, attempt.status, cardinality(attempt.indexes),
    attempt.cost_micros,
    coalesce(nullif(attempt.upstream_id, ''), attempt.upstream_request_id), entry.id
FROM gateway_attempt AS attempt
LEFT JOIN billing_journalentry AS entry
    ON entry.idempotency_key = 'attempt:' || attempt.id::text
WHERE attempt.provider = %s AND attempt.upstream_model = %s AND NOT attempt.is_sandboxed
    AND attempt.finished_at >= %s AND attempt.finished_at < %s AND attempt.cost_micros > 0
ORDER BY attempt.finished_at, attempt.id LIMIT %s
"""


@dataclass(frozen=True, slots=True)
class Call:
    """One call, what it cost us in micros of USD, and the entry of that."""

    finished_at: datetime
    attempt_id: UUID
    status: str
    images: int
    micros: int
    upstream_id: str
    entry_id: UUID | None


def booked_calls(first: date, last: date, *, provider: str) -> dict[CallCell, BookedCalls]:
    """Return calls, images and cost by the day on which a call ended, and by upstream model."""
    with connection.cursor() as cursor:
        cursor.execute(_BOOKED, [provider, _begin(first), _begin(last + timedelta(days=1))])
        return {(day, model): BookedCalls(*figures) for day, model, *figures in cursor.fetchall()}


def list_calls(*, provider: str, day: date, model: str, limit: int) -> list[Call]:
    """Return the calls of a day and upstream model, in order of their end."""
    following = _begin(day + timedelta(days=1))
    with connection.cursor() as cursor:
        cursor.execute(_CALLS, [provider, model, _begin(day), following, limit])
        return [Call(*row) for row in cursor.fetchall()]


def _begin(day: date) -> datetime:
    return datetime.combine(day, time.min, UTC)
