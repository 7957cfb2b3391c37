"""What an organization was charged, by time and by model, API key or user."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final
from uuid import UUID

from django.db import connection

from billing.selectors.captures import CAPTURES
from gateway.parameters.usage import GROUPS
from gateway.selectors.rollups import COUNTED, FIT, NO_KEY, params, quarter_down, quarter_up

SHORTEST_DAY: Final = timedelta(hours=20)
_COLUMNS: Final = {
    "model": "nullif(model, '')",
    "api_key_id": f"nullif(api_key_id, '{NO_KEY}')::text",
    "user": "nullif(\"user\", '')",
}
# Quarters of an hour that the period cuts are read from the captures themselves.
_EDGES: Final = f"""
SELECT captured_at, 'charged', coalesce(generation.model, ''),
    coalesce(capture.api_key_id, '{NO_KEY}'), coalesce(generation."user", ''), '', capture.currency,
    1, images, amount_micros
FROM ({CAPTURES}) AS capture
LEFT JOIN gateway_generation AS generation ON generation.id = reference::uuid
WHERE captured_at < %(first)s OR captured_at >= %(last)s
"""  # noqa: S608 - made of constants
_USAGE: Final = f"""
WITH {FIT}
SELECT width_bucket(at, %(bounds)s::timestamptz[]), {{columns}}, currency,
    sum(images)::bigint, sum(count)::bigint, sum(micros)::bigint
FROM ({COUNTED} {{edges}}) AS charge
GROUP BY 1, 2, 3, 4, 5
ORDER BY 1, 8 DESC, 2, 3, 4
"""  # noqa: S608 - made of constants


@dataclass(frozen=True, slots=True)
class UsageRow:
    """What was charged in one bucket to one group. The amount is in micros of `currency`.

    Attributes:
        bucket: Its number, from 0.
        requests: Generations that delivered the images.
    """

    bucket: int
    model: str | None
    api_key_id: str | None
    user: str | None
    currency: str
    images: int
    requests: int
    amount_micros: int


def usage(
    *,
    organization_id: UUID,
    zone: str,
    period: tuple[datetime, datetime],
    bounds: Sequence[datetime],
    group_by: Sequence[str],
) -> list[UsageRow]:
    """Sum captures up, by bucket and group; buckets without any have no row. One query.

    Args:
        organization_id: Whose.
        zone: Its time zone.
        period: Captures from the first of these instants on and before the second.
        bounds: When each bucket begins, and last when the last one ends. The first is not after
            the period's start.
        group_by: Some of `GROUPS`; what is not grouped by is None.
    """
    since, until = period
    first, last = quarter_up(since), quarter_down(until)
    if first > last:
        # Within one quarter of an hour: all of it is edge.
        first = last = until
    columns = ", ".join(_COLUMNS[name] if name in group_by else "NULL" for name in GROUPS)
    # Only the captures know the seconds; without edges Postgres need not look at them.
    has_edges = (since, until) != (first, last)
    statement = _USAGE.format(columns=columns, edges=f"UNION ALL {_EDGES}" if has_edges else "")
    found = params(
        organization_id=organization_id,
        livemode=True,
        kinds=["charged_user" if "user" in group_by else "charged"],
        zone=zone,
        between=(first, last),
        days=_whole_days(bounds, first, last),
    )
    found |= {"since": since, "until": until, "bounds": list(bounds[:-1])}
    with connection.cursor() as cursor:
        cursor.execute(statement, found)
        return [UsageRow(bucket - 1, *values) for bucket, *values in cursor]


def _whole_days(
    bounds: Sequence[datetime], first: datetime, last: datetime
) -> tuple[datetime, datetime] | None:
    """Return when the first whole day begins and the last one ends, where buckets are days."""
    if bounds[1] - bounds[0] < SHORTEST_DAY:
        return None
    days = [bound for bound in bounds if first <= bound <= last]
    return (days[0], days[-1]) if days else None
