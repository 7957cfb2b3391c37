"""What an organization was charged, by time and by model, API key or user."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final
from uuid import UUID

from django.db import connection

from billing.selectors.captures import CAPTURES
from gateway.parameters.usage import GROUPS
from gateway.selectors.rollups import (
    COUNTED,
    COUNTED_USERS,
    FIT,
    NO_KEY,
    OTHERS,
    params,
    quarter_down,
    quarter_up,
)

MOST_ROWS: Final = 5000
"""A page of buckets ends with the one in which there are so many rows."""
SHORTEST_DAY: Final = timedelta(hours=20)
_COLUMNS: Final = {
    "model": "nullif(model, '')",
    "api_key_id": f"nullif(api_key_id, '{NO_KEY}')::text",
    "user": "nullif(\"user\", '')",
}
# Quarters of an hour that the period cuts are read from the captures themselves: a few, so that
# each looks its generation up.
_EDGE: Final = f"""
SELECT captured_at, 'charged', coalesce(generation.model, ''),
    coalesce(capture.api_key_id, '{NO_KEY}'), coalesce(generation."user", ''), '', capture.currency,
    1, images, amount_micros
FROM ({CAPTURES}) AS capture
LEFT JOIN LATERAL (
    SELECT model, "user" FROM gateway_generation WHERE id = reference::uuid LIMIT 1
) AS generation ON true
WHERE {{condition}}
"""  # noqa: S608 - made of constants
_FIRST_EDGE: Final = _EDGE.format(condition="captured_at < %(first)s")
_LAST_EDGE: Final = _EDGE.format(condition="captured_at >= %(last)s")
_USAGE: Final = f"""
WITH {FIT}
SELECT width_bucket(at, %(bounds)s::timestamptz[]), {{columns}}, currency,
    sum(images)::bigint, sum(count)::bigint, sum(micros)::bigint,
    bool_or(label = '{OTHERS}') AS is_others
FROM ({{rows}}) AS charge
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
    most: int = MOST_ROWS,
) -> list[UsageRow]:
    """Sum captures up, by bucket and group; buckets without any have no row. One query.

    By user a second one, where a day does not name all of them. In the order of the buckets, and of
    each the dearest first.

    Args:
        organization_id: Whose.
        zone: Its time zone.
        period: Captures from the first of these instants on and before the second.
        bounds: When each bucket begins, and last when the last one ends. The first is not after
            the period's start.
        group_by: Some of `GROUPS`; what is not grouped by is None.
        most: The bucket in which there are so many rows is the last.
    """
    since, until = period
    first, last = quarter_up(since), quarter_down(until)
    if first > last:
        # Within one quarter of an hour: all of it is edge.
        first = last = until
    by_user = "user" in group_by
    found = params(
        organization_id=organization_id,
        livemode=True,
        kinds=["charged_user" if by_user else "charged"],
        zone=zone,
        between=(first, last),
        days=_whole_days(bounds, first, last),
    )
    found |= {"since": since, "until": until, "bounds": list(bounds[:-1])}
    # Only the captures know the seconds; without edges Postgres need not look at them.
    edges = (_FIRST_EDGE if since < first else "", _LAST_EDGE if last < until else "")
    if tuple(group_by) == ("user",):
        rows, has_others = _read(COUNTED_USERS, edges, group_by, found, most)
        if not has_others:
            return rows
    return _read(COUNTED, edges, group_by, found, most)[0]


def _read(
    counted: str, edges: Sequence[str], group_by: Sequence[str], found: dict[str, Any], most: int
) -> tuple[list[UsageRow], bool]:
    """Return the rows, and whether one of them stands for users who are not named."""
    columns = ", ".join(_COLUMNS[name] if name in group_by else "NULL" for name in GROUPS)
    rows = "\nUNION ALL\n".join((counted, *(edge for edge in edges if edge)))
    shown: list[UsageRow] = []
    has_others = False
    with connection.cursor() as cursor:
        cursor.execute(_USAGE.format(columns=columns, rows=rows), found)
        for bucket, *values, is_others in cursor:
            if len(shown) >= most and bucket - 1 > shown[-1].bucket:
                break
            shown.append(UsageRow(bucket - 1, *values))
            has_others |= is_others
    return shown, has_others


def _whole_days(
    bounds: Sequence[datetime], first: datetime, last: datetime
) -> tuple[datetime, datetime] | None:
    """Return when the first whole day begins and the last one ends, where buckets are days."""
    if bounds[1] - bounds[0] < SHORTEST_DAY:
        return None
    days = [bound for bound in bounds if first <= bound <= last]
    return (days[0], days[-1]) if days else None
