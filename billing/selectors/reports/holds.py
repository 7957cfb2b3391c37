"""How old the open holds are."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final
from uuid import UUID

from django.db import connection

# From how many seconds on a hold is of an age, and until when.
AGES: Final[Mapping[str, tuple[int, int]]] = {
    "minute": (-(10**9), 60),
    "five_minutes": (60, 300),
    "hour": (300, 3600),
    "longer": (3600, 10**9),
}
_AGED: Final = """
SELECT currency,
    CASE WHEN age < 60 THEN 'minute' WHEN age < 300 THEN 'five_minutes' WHEN age < 3600 THEN 'hour'
        ELSE 'longer' END,
    count(*), sum(amount_micros)::bigint, count(*) FILTER (WHERE deadline_at < %(now)s)
FROM (
    SELECT currency, amount_micros, deadline_at,
        extract(epoch FROM %(now)s::timestamptz - authorized_at) AS age
    FROM billing_hold WHERE status = 'authorized'
) AS hold
GROUP BY 1, 2
"""
_OPEN: Final = """
SELECT hold.authorized_at, hold.deadline_at, hold.reference, hold.organization_id,
    organization.name, hold.count, hold.amount_micros, hold.currency
FROM billing_hold AS hold
JOIN orgs_organization AS organization ON organization.id = hold.organization_id
WHERE hold.status = 'authorized'
    AND extract(epoch FROM %(now)s::timestamptz - hold.authorized_at) >= %(least)s
    AND extract(epoch FROM %(now)s::timestamptz - hold.authorized_at) < %(most)s
ORDER BY hold.authorized_at, hold.id
LIMIT %(limit)s
"""


@dataclass(frozen=True, slots=True)
class AgedHolds:
    """The open holds of one age in one currency; `overdue` are past their deadline."""

    currency: str
    age: str
    count: int
    micros: int
    overdue: int


@dataclass(frozen=True, slots=True)
class OpenHold:
    """One open hold; `count` is of images."""

    authorized_at: datetime
    deadline_at: datetime
    reference: str
    organization_id: UUID
    organization_name: str
    count: int
    amount_micros: int
    currency: str


def list_aged_holds(*, now: datetime) -> list[AgedHolds]:
    """Return the sums of open holds by currency and age, the youngest first."""
    ages = list(AGES)
    with connection.cursor() as cursor:
        cursor.execute(_AGED, {"now": now})
        found = [AgedHolds(*row) for row in cursor.fetchall()]
    return sorted(found, key=lambda one: (one.currency, ages.index(one.age)))


def list_open_holds(*, now: datetime, limit: int, age: str | None = None) -> list[OpenHold]:
    """Return the open holds, of one of `AGES` or of all, the oldest first."""
    least, most = AGES[age] if age else (-(10**9), 10**9)
    params: dict[str, Any] = {"now": now, "least": least, "most": most, "limit": limit}
    with connection.cursor() as cursor:
        cursor.execute(_OPEN, params)
        return [OpenHold(*row) for row in cursor.fetchall()]
