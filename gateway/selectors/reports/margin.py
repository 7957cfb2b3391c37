"""Revenue, exchange spread, cost and margin of a period, and the postings they sum up."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from typing import Any, Final
from uuid import UUID

from django.db import connection

from gateway.selectors.reports.margin_sql import COUNTED, POSTED, RESOLVED
from orgs.models import Organization

GROUPS: Final = {
    "day": "day::text",
    "model": "model",
    "provider": "provider",
    "organization": "organization_id::text",
    "currency": "currency",
}
_WHOSE: Final = """
    day BETWEEN %(first)s AND %(last)s
    AND (%(organization)s::uuid IS NULL OR organization_id = %(organization)s)
    AND (%(model)s::text IS NULL OR model = %(model)s)
    AND (%(provider)s::text IS NULL OR provider = %(provider)s)
    AND (%(currency)s::text IS NULL OR currency = %(currency)s)
"""
_FIGURES: Final = """
    coalesce(sum(images) FILTER (WHERE code = 'revenue'), 0)::bigint,
    coalesce(sum(micros) FILTER (WHERE code = 'revenue'), 0)::bigint,
    coalesce(sum(micros) FILTER (WHERE code = 'fx_spread'), 0)::bigint,
    coalesce(sum(micros) FILTER (WHERE code = 'provider_cost'), 0)::bigint
"""
_GROUPED: Final = f"""
SELECT {{group}} AS name, currency, {_FIGURES}
FROM ({COUNTED}) AS counted WHERE {_WHOSE}
GROUP BY 1, 2
"""  # noqa: S608 - made of constants
_BY_DAY: Final = f"""
SELECT {{group}} AS name, currency, day, {_FIGURES}
FROM ({COUNTED}) AS counted WHERE {_WHOSE}
GROUP BY 1, 2, 3
"""  # noqa: S608 - made of constants
_LINES: Final = f"""
SELECT effective_at, entry_id, line, day, organization_id, model, provider, code, currency, micros,
    line_reference
FROM ({
    RESOLVED.format(
        parts=f"{POSTED} WHERE entry.effective_at >= %(begins)s AND entry.effective_at < %(ends)s"
        " AND account.code = %(code)s AND (entry.effective_at, entry.id, posting.line)"
        " > (%(after_at)s::timestamptz, %(after_id)s::uuid, %(after_line)s::integer)"
    )
}) AS posted
WHERE {_WHOSE}
ORDER BY effective_at, entry_id, line
LIMIT %(limit)s
"""  # noqa: S608 - made of constants


@dataclass(frozen=True, slots=True)
class MarginScope:
    """Of which days of UTC, both included, and which part of them; None is all."""

    first: date
    last: date
    organization: UUID | None = None
    model: str | None = None
    provider: str | None = None
    currency: str | None = None


@dataclass(frozen=True, slots=True)
class Margin:
    """Figures of one group in one currency, in micros. Images are those of revenue."""

    name: str
    currency: str
    images: int
    revenue: int
    spread: int
    cost: int

    @property
    def margin(self) -> int:
        """Return what is left of revenue and spread after cost."""
        return self.revenue + self.spread - self.cost

    @property
    def percent(self) -> int | None:
        """Return the margin in percent of what was earned; None where nothing was."""
        earned = self.revenue + self.spread
        return round(self.margin * 100 / earned) if earned > 0 else None


@dataclass(frozen=True, slots=True)
class MarginLine:
    """One posting of revenue, spread or cost; of a correction the micros are negative."""

    effective_at: datetime
    entry_id: UUID
    line: int
    day: date
    organization_id: UUID
    model: str
    provider: str
    code: str
    currency: str
    micros: int
    reference: str


def list_margins(scope: MarginScope, *, by: str) -> list[Margin]:
    """Return the figures of each group and currency: days in order, else the largest first."""
    with connection.cursor() as cursor:
        cursor.execute(_GROUPED.format(group=GROUPS[by]), _params(scope))
        found = [Margin(*row) for row in cursor.fetchall()]
    if by == "day":
        return sorted(found, key=lambda one: (one.name, one.currency))
    return sorted(found, key=lambda one: (one.currency, -one.revenue, one.name))


def list_daily_margins(scope: MarginScope, *, by: str) -> dict[date, list[Margin]]:
    """Return the figures of each group by day."""
    days: dict[date, list[Margin]] = {}
    with connection.cursor() as cursor:
        cursor.execute(_BY_DAY.format(group=GROUPS[by]), _params(scope))
        for name, currency, day, *figures in cursor.fetchall():
            days.setdefault(day, []).append(Margin(name, currency, *figures))
    return days


def list_margin_lines(
    scope: MarginScope, *, code: str, limit: int, after: tuple[datetime, UUID, int] | None = None
) -> list[MarginLine]:
    """Return postings to an account that a scope's figure sums up, in order of effect.

    Args:
        scope: Of which figure.
        code: `revenue`, `fx_spread` or `provider_cost`.
        limit: How many at most.
        after: Time, entry and line of the last one of the page before.
    """
    begins = datetime.combine(scope.first, time.min, UTC)
    at, entry_id, line = after or (begins, UUID(int=0), 0)
    params: dict[str, Any] = {
        **_params(scope),
        "begins": max(begins, at),
        "ends": datetime.combine(scope.last + timedelta(days=1), time.min, UTC),
        "after_at": at,
        "after_id": entry_id,
        "after_line": line,
        "code": code,
        "limit": limit,
    }
    with connection.cursor() as cursor:
        cursor.execute(_LINES, params)
        return [MarginLine(*row) for row in cursor.fetchall()]


def organization_names(ids: Collection[str]) -> dict[str, str]:
    """Return the names of organizations by id as text."""
    rows = Organization.objects.filter(id__in=set(ids)).values_list("id", "name")
    return {str(organization_id): name for organization_id, name in rows}


def _params(scope: MarginScope) -> dict[str, Any]:
    return {
        "first": scope.first,
        "last": scope.last,
        "organization": scope.organization,
        "model": scope.model,
        "provider": scope.provider,
        "currency": scope.currency,
    }
