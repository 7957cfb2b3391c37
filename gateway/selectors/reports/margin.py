"""Revenue, exchange spread, cost and margin of a period, and the postings they sum up."""

from collections.abc import Collection, Iterable
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime
from typing import Any, Final
from uuid import UUID

from django.db import connection

from billing.selectors.reports.journal import WINDOW, Place, start_at, windows
from gateway.selectors.reports.margin_sql import COUNTED, FACTS, POSTED, RESOLVED
from orgs.models import Organization

GROUPS: Final = {
    "day": "day::text",
    "model": "model",
    "provider": "provider",
    "organization": "organization_id::text",
    "currency": "currency",
}
OTHERS: Final = "*"
# Of one organization among many, lines are found in a first window of so many entries.
OF_ONE: Final = 16_000
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
# Each side is summed up on its own: what is put together then is few rows.
_SUMMED: Final = f"""
SELECT {{group}} AS name, currency, {{day}} AS day, code, sum(micros) AS micros,
    sum(images) AS images
FROM {{table}} AND {_WHOSE} GROUP BY 1, 2, 3, 4
UNION ALL
SELECT {{group}} AS name, currency, {{day}} AS day, code, sum(micros), sum(images)
FROM ({RESOLVED.format(parts=FACTS)}) AS waiting WHERE {_WHOSE} GROUP BY 1, 2, 3, 4
"""  # noqa: S608 - made of constants
_GROUPED: Final = f"""
SELECT name, currency, {_FIGURES} FROM ({_SUMMED}) AS summed GROUP BY 1, 2
"""  # noqa: S608 - made of constants
_BY_DAY: Final = f"""
SELECT name, currency, day, {_FIGURES}
FROM ({_SUMMED}) AS summed GROUP BY 1, 2, 3
"""  # noqa: S608 - made of constants
_NAMED: Final = "CASE WHEN {group} = ANY(%(names)s) THEN {group} ELSE '*' END"
_FIRST_DAY: Final = f"""
SELECT min(day) FROM (
    SELECT day, organization_id, model, provider, currency, code FROM ({COUNTED}) AS counted
) AS counted WHERE {_WHOSE} AND code = %(code)s
"""  # noqa: S608 - made of constants
# A hold's organization is its generation's: those of others need not be looked up any further.
_LINES: Final = f"""
SELECT effective_at, entry_id, line, day, organization_id, model, provider, code, currency, micros,
    line_reference
FROM ({RESOLVED.format(parts=f"{POSTED} WHERE {WINDOW} AND account.code = %(code)s")}
    WHERE %(organization)s::uuid IS NULL OR hold.organization_id IS NULL
        OR hold.organization_id = %(organization)s
) AS posted
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
        statement = _GROUPED.format(group=GROUPS[by], day="NULL::date", table=_table(scope, by))
        cursor.execute(statement, _params(scope))
        found = [Margin(*row) for row in cursor.fetchall()]
    if by == "day":
        return sorted(found, key=lambda one: (one.name, one.currency))
    return sorted(found, key=lambda one: (one.currency, -one.revenue, one.name))


def sum_margins(rows: Iterable[Margin]) -> list[Margin]:
    """Return the sums of groups by currency, whose names these are."""
    sums: dict[str, Margin] = {}
    for row in rows:
        known = sums.get(row.currency, Margin(row.currency, row.currency, 0, 0, 0, 0))
        sums[row.currency] = replace(
            known,
            images=known.images + row.images,
            revenue=known.revenue + row.revenue,
            spread=known.spread + row.spread,
            cost=known.cost + row.cost,
        )
    return [sums[currency] for currency in sorted(sums)]


def list_daily_margins(
    scope: MarginScope, *, by: str, names: Collection[str]
) -> dict[date, list[Margin]]:
    """Return the figures of some groups by day, and those of all others together as `OTHERS`."""
    days: dict[date, list[Margin]] = {}
    statement = _BY_DAY.format(
        group=_NAMED.format(group=GROUPS[by]), day="day", table=_table(scope, by)
    )
    with connection.cursor() as cursor:
        cursor.execute(statement, {**_params(scope), "names": list(names)})
        for name, currency, day, *figures in cursor.fetchall():
            days.setdefault(day, []).append(Margin(name, currency, *figures))
    return days


def list_margin_lines(
    scope: MarginScope, *, code: str, limit: int, after: Place | None = None
) -> list[MarginLine]:
    """Return postings to an account that a scope's figure sums up, in order of effect.

    Args:
        scope: Of which figure.
        code: `revenue`, `fx_spread` or `provider_cost`.
        limit: How many at most.
        after: The place of the last one of the page before.
    """
    first = scope.first
    if after is not None:
        first = max(first, after.effective_at.astimezone(UTC).date())
    params: dict[str, Any] = {**_params(scope), "first": first, "code": code}
    with connection.cursor() as cursor:
        cursor.execute(_FIRST_DAY, params)
        (first,) = cursor.fetchone()
    found: list[MarginLine] = []
    if first is None:
        return found
    entries = 0 if scope.organization is None else OF_ONE
    for window in windows(start=start_at(first, after), ends=scope.last, entries=entries):
        with connection.cursor() as cursor:
            cursor.execute(_LINES, {**params, **window.params, "limit": limit - len(found)})
            found += [MarginLine(*row) for row in cursor.fetchall()]
        if len(found) == limit:
            break
    return found


def organization_names(ids: Collection[str]) -> dict[str, str]:
    """Return the names of organizations by id as text."""
    rows = Organization.objects.filter(id__in=set(ids)).values_list("id", "name")
    return {str(organization_id): name for organization_id, name in rows}


def _table(scope: MarginScope, by: str) -> str:
    """Return what has a scope's figures in the fewest rows."""
    if scope.organization is None and by != "organization":
        return "gateway_marginsum WHERE slice = 'models'"
    if scope.model is None and scope.provider is None and by not in {"model", "provider"}:
        return "gateway_marginsum WHERE slice = 'organizations'"
    return "gateway_marginday WHERE true"


def _params(scope: MarginScope) -> dict[str, Any]:
    return {
        "first": scope.first,
        "last": scope.last,
        "organization": scope.organization,
        "model": scope.model,
        "provider": scope.provider,
        "currency": scope.currency,
    }
