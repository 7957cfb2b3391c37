"""Calls to a provider by the hour."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from django.db import connection

from gateway.models import Attempt

HOURS: Final = 24
# What counts for and against a provider is what `gateway.health` says.
_HOURLY: Final = """
SELECT date_trunc('hour', finished_at, 'UTC') AS hour, count(*),
    count(*) FILTER (
        WHERE status NOT IN ('succeeded', 'refused')
            AND error_kind NOT IN ('ContentRefused', 'ProviderRejected', 'NotStoredError')
            AND NOT (status = 'unknown' AND error_kind = '')
    )
FROM gateway_attempt
WHERE provider = %s AND NOT is_sandboxed AND finished_at >= %s
GROUP BY hour
"""


@dataclass(frozen=True, slots=True)
class Hour:
    """The calls that ended within an hour, and those of them that failed."""

    starts_at: datetime
    calls: int
    failures: int


def calls_by_hour(*, provider: str, now: datetime) -> Sequence[Hour]:
    """Return the last 24 hours, the present one included, without gaps. One query."""
    last = now.replace(minute=0, second=0, microsecond=0)
    first = last - timedelta(hours=HOURS - 1)
    with connection.cursor() as cursor:
        cursor.execute(_HOURLY, [provider, first])
        found = {hour: (calls, failures) for hour, calls, failures in cursor.fetchall()}
    hours = [first + timedelta(hours=number) for number in range(HOURS)]
    return [Hour(hour, *found.get(hour, (0, 0))) for hour in hours]


@dataclass(frozen=True, slots=True)
class Failure:
    """The last call that failed; `message` is the provider's own."""

    at: datetime
    kind: str
    code: str
    message: str


def last_failure(*, provider: str, now: datetime) -> Failure | None:
    """Return the last call to a provider within a day that failed by its or our fault."""
    rows = (
        Attempt.objects.filter(
            provider=provider,
            is_sandboxed=False,
            finished_at__gt=now - timedelta(hours=HOURS),
            status__in=[Attempt.Status.FAILED, Attempt.Status.LATE],
        )
        .exclude(error_kind__in=["ContentRefused", "ProviderRejected", "NotStoredError"])
        .order_by("-finished_at")
        .values_list("finished_at", "error_kind", "error_code", "error_message")
    )
    row = rows.first()
    if row is None or row[0] is None:
        return None
    return Failure(row[0], row[1], row[2], row[3])
