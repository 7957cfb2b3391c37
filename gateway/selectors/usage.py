"""What an organization was charged, by time and by model, API key or user."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final
from uuid import UUID

from django.db import connection

from billing.selectors.captures import CAPTURES
from gateway.parameters.usage import GROUPS

_COLUMNS: Final = {
    "model": "generation.model",
    "api_key_id": "capture.api_key_id::text",
    "user": "nullif(generation.\"user\", '')",
}
# The key is the billing's own; the other two are in the generation.
_JOIN: Final = "LEFT JOIN gateway_generation AS generation ON generation.id = reference::uuid"
_USAGE: Final = """
SELECT width_bucket(captured_at, %(bounds)s::timestamptz[]), {columns}, capture.currency,
    sum(images)::bigint, count(*), sum(amount_micros)::bigint
FROM ({captures}) AS capture {join}
GROUP BY 1, 2, 3, 4, 5
ORDER BY 1, 8 DESC, 2, 3, 4
"""


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
    since: datetime,
    until: datetime,
    bounds: Sequence[datetime],
    group_by: Sequence[str],
) -> list[UsageRow]:
    """Sum captures up, by bucket and group; buckets without any have no row. One query.

    Args:
        organization_id: Whose.
        since: Captures from this instant on,
        until: and before this one.
        bounds: When each bucket begins, ascending, the first not after `since`.
        group_by: Some of `GROUPS`; what is not grouped by is None.
    """
    columns = ", ".join(_COLUMNS[name] if name in group_by else "NULL" for name in GROUPS)
    is_joined = {"model", "user"} & set(group_by)
    with connection.cursor() as cursor:
        cursor.execute(
            _USAGE.format(columns=columns, captures=CAPTURES, join=_JOIN if is_joined else ""),
            {
                "organization_id": organization_id,
                "since": since,
                "until": until,
                "bounds": list(bounds),
            },
        )
        return [UsageRow(bucket - 1, *values) for bucket, *values in cursor]
