"""Figures of an organization's pages: spend, success, latency and failures, from the rollups.

Each is one query over whole days of the organization's zone, and the sum of the rows it stands
for. Only latency is estimated: within a step of the times, a quarter of an octave.
"""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from typing import Any, Final
from uuid import UUID
from zoneinfo import ZoneInfo

from django.db import connection

from gateway.selectors.rollups import COUNTED, COUNTED_USERS, FIT, params

SERIES: Final = 7
STEPS_PER_OCTAVE: Final = 4
GROUPS: Final = {
    None: "NULL::text",
    "model": "model",
    "api_key_id": "api_key_id::text",
    "user": '"user"',
}
_IN_DAYS: Final = f"""
WITH {FIT}, counted AS (
    SELECT width_bucket(at, %(days)s::timestamptz[]) - 1 AS day, counted.*
    FROM ({{counted}}) AS counted
    WHERE (%(model)s::text IS NULL OR model = %(model)s)
        AND (%(api_key_id)s::uuid IS NULL OR api_key_id = %(api_key_id)s)
        AND (%(user)s::text IS NULL OR "user" = %(user)s)
)
"""  # noqa: S608 - made of constants
FILTERED: Final = _IN_DAYS.format(counted=COUNTED)
"""What was counted of a scope, as `counted`, with the number of the day; for `read_scope`."""
FILTERED_USERS: Final = _IN_DAYS.format(counted=COUNTED_USERS)
"""The same of `COUNTED_USERS`, for a scope of any model and key."""
_TOTALS: Final = f"""{FILTERED}
SELECT day, kind, sum(count)::bigint, sum(images)::bigint, sum(micros)::bigint
FROM counted GROUP BY 1, 2 ORDER BY 1, 2
"""  # noqa: S608 - made of constants
# The largest groups have a series of their own; the rest are one.
_SPEND: Final = f"""{FILTERED}, grouped AS (
    SELECT {{group}} AS name, counted.* FROM counted
), largest AS (
    SELECT name FROM grouped GROUP BY name ORDER BY sum(micros) DESC, name LIMIT %(series)s
)
SELECT largest.name, day, sum(count)::bigint, sum(images)::bigint, sum(micros)::bigint
FROM grouped LEFT JOIN largest USING (name)
GROUP BY 1, 2 ORDER BY 1, 2
"""  # noqa: S608 - made of constants
_GROUPED: Final = f"""{FILTERED}
SELECT {{group}}, kind, label, sum(count)::bigint,
    sum(images)::bigint, sum(micros)::bigint
FROM counted GROUP BY 1, 2, 3
"""  # noqa: S608 - made of constants
_LATENCIES: Final = f"""{FILTERED}
SELECT {{group}}, day, label::integer, sum(count)::bigint
FROM counted GROUP BY 1, 2, 3 ORDER BY 1, 2, 3
"""  # noqa: S608 - made of constants


@dataclass(frozen=True, slots=True)
class Scope:
    """Whose figures, of which days, and which of them.

    Attributes:
        zone: The organization's time zone.
        first: The first day,
        last: and the last.
        api_key_id: `NO_KEY` is what was asked for without one.
        user: Only of what was charged; endings are not counted by user.
    """

    organization_id: UUID
    zone: str
    first: date
    last: date
    livemode: bool = True
    model: str | None = None
    api_key_id: UUID | None = None
    user: str | None = None


@dataclass(frozen=True, slots=True)
class DayTotals:
    """One day: what was charged, in micros of the organization's currency, and what ended how."""

    day: date
    charged_micros: int = 0
    charged_images: int = 0
    succeeded: int = 0
    failed: int = 0
    canceled: int = 0


@dataclass(frozen=True, slots=True)
class Spend:
    """What was charged in one day for one group; `group` is None for all others together."""

    group: str | None
    day: date
    requests: int
    images: int
    micros: int


@dataclass(frozen=True, slots=True)
class Failures:
    """How many generations failed with a code."""

    code: str
    count: int


@dataclass(frozen=True, slots=True)
class GroupTotals:
    """One group over all days of a scope.

    Attributes:
        group: A model, an API key's id or a user; empty where there was none.
        requests: Those that delivered images.
        micros: What they were charged; 0 for test keys.
        failures: Why the others failed, the most frequent first. Like `p50_s` and `p95_s`, which
            are of those that delivered, unknown by user.
    """

    group: str
    requests: int
    images: int
    micros: int
    failures: tuple[Failures, ...] = ()
    p50_s: float | None = None
    p95_s: float | None = None

    @property
    def failed(self) -> int:
        """Return how many requests failed."""
        return sum(one.count for one in self.failures)

    @property
    def success_percent(self) -> int | None:
        """Return the share of ended requests that delivered, rounded down; None of nothing."""
        ended = self.requests + self.failed
        return self.requests * 100 // ended if ended else None


@dataclass(frozen=True, slots=True)
class Latency:
    """Seconds from acceptance to the end of successful generations of one day and group."""

    group: str | None
    day: date
    count: int
    p50_s: float
    p95_s: float


def day_totals(scope: Scope) -> list[DayTotals]:
    """Return every day of a scope. One query."""
    found: dict[date, dict[str, int]] = {day: {} for day in days_of(scope)}
    kinds = ("charged", "succeeded", "failed", "canceled")
    for day, kind, count, images, micros in read_scope(_TOTALS, scope, kinds):
        if kind == "charged":
            found[day] |= {"charged_micros": micros, "charged_images": images}
        else:
            found[day][kind] = count
    return [DayTotals(day, **figures) for day, figures in found.items()]


def spend_by(scope: Scope, *, by: str = "model", series: int = SERIES) -> list[Spend]:
    """Return what was charged by day and `model`, `api_key_id` or `user`. One query.

    The smaller groups are one.
    """
    statement = _SPEND.format(group=GROUPS[by])
    rows = read_scope(statement, scope, (_charged(scope, by),), series=series, day_at=1)
    return [Spend(*row) for row in rows]


def totals_by(scope: Scope, *, by: str | None = "model") -> list[GroupTotals]:
    """Return the sums of each `model`, `api_key_id` or `user`, the dearest first. One query.

    Without a group all is one, or nothing.
    """
    ending = () if by == "user" or scope.user is not None else ("succeeded", "failed")
    found: dict[str, dict[str, list[tuple[str, int, int, int]]]] = {}
    statement = _GROUPED.format(group=GROUPS[by])
    for group, kind, *figures in read_scope(
        statement, scope, (_charged(scope, by), *ending), day_at=None
    ):
        found.setdefault(group or "", {}).setdefault(kind, []).append(tuple(figures))
    totals = [group_totals(group, kinds, livemode=scope.livemode) for group, kinds in found.items()]
    return sorted(totals, key=lambda one: (-one.micros, -one.images, one.group))


def latencies(scope: Scope, *, by: str | None = None) -> list[Latency]:
    """Return p50 and p95 of each day, altogether or by `model` or `api_key_id`. One query."""
    steps: dict[tuple[str | None, date], dict[int, int]] = {}
    statement = _LATENCIES.format(group=GROUPS[by])
    for group, day, step, count in read_scope(statement, scope, ("succeeded",), day_at=1):
        steps.setdefault((group, day), {})[step] = count
    return [
        Latency(group, day, sum(counts.values()), quantile(counts, 0.5), quantile(counts, 0.95))
        for (group, day), counts in steps.items()
    ]


def quantile(counts: Mapping[int, int], share: float) -> float:
    """Return the time, in seconds, that a share of counted times is below.

    Args:
        counts: How many times lie in each step; step `k` goes from 2^(k/4) s to 2^((k+1)/4) s.
        share: Between 0 and 1.
    """
    rank = share * sum(counts.values())
    below = 0
    for step, count in sorted(counts.items()):
        if below + count >= rank:
            within = (rank - below) / count
            return float(2 ** ((step + within) / STEPS_PER_OCTAVE))
        below += count
    raise ValueError("There are no times.")


def days_left(*, available_micros: int, spend: Sequence[Spend], last: date) -> int | None:
    """Return for how many days a balance lasts at a pace; None without spend.

    Args:
        available_micros: What may still be spent.
        spend: What was; the pace counts from its first day.
        last: The last day that it tells of.
    """
    spent = sum(one.micros for one in spend)
    if spent <= 0:
        return None
    days = (last - min(one.day for one in spend)).days + 1
    return max(available_micros, 0) * days // spent


def _charged(scope: Scope, by: str | None) -> str:
    return "charged_user" if by == "user" or scope.user is not None else "charged"


def group_totals(
    group: str, kinds: Mapping[str, Sequence[tuple[str, int, int, int]]], *, livemode: bool
) -> GroupTotals:
    """Sum the rows of each kind up: label, count, images and micros."""
    succeeded = kinds.get("succeeded", ())
    steps: Counter[int] = Counter()
    for label, count, _, _ in succeeded:
        steps[int(label)] += count
    failures: Counter[str] = Counter()
    for code, count, _, _ in kinds.get("failed", ()):
        failures[code] += count
    # A fact of either kind is one of `charged`. Test keys are charged nothing.
    charged = (*kinds.get("charged", ()), *kinds.get("charged_user", ()))
    delivered = charged if livemode else succeeded
    return GroupTotals(
        group=group,
        requests=sum(row[1] for row in delivered),
        images=sum(row[2] for row in delivered),
        micros=sum(row[3] for row in charged),
        failures=tuple(
            Failures(code, count)
            for code, count in sorted(failures.items(), key=lambda one: (-one[1], one[0]))
        ),
        p50_s=quantile(steps, 0.5) if steps else None,
        p95_s=quantile(steps, 0.95) if steps else None,
    )


def read_scope(
    statement: str,
    scope: Scope,
    kinds: Sequence[str],
    *,
    series: int = SERIES,
    names: Sequence[str] = (),
    day_at: int | None = 0,
) -> Iterator[tuple[Any, ...]]:
    """Yield the rows of a statement, the number of the day in them replaced by the day.

    Args:
        statement: It begins with `FILTERED`, and may take `series` and `names`.
        scope: Whose, and of which days.
        kinds: Of what was counted.
        series: A limit.
        names: Of groups.
        day_at: Where the number is; None where there is none.
    """
    days = days_of(scope)
    bounds = [_start(day, scope.zone) for day in (*days, scope.last + timedelta(days=1))]
    period = (bounds[0], bounds[-1])
    found = params(
        organization_id=scope.organization_id,
        livemode=scope.livemode,
        kinds=kinds,
        zone=scope.zone,
        between=period,
        days=period,
    )
    found |= {
        "days": bounds[:-1],
        "model": scope.model,
        "api_key_id": scope.api_key_id,
        "user": scope.user,
        "series": series,
        "names": list(names),
    }
    with connection.cursor() as cursor:
        cursor.execute(statement, found)
        for row in cursor.fetchall():
            if day_at is None:
                yield row
            else:
                yield (*row[:day_at], days[row[day_at]], *row[day_at + 1 :])


def day_bounds(scope: Scope) -> tuple[datetime, datetime]:
    """Return when a scope's first day begins and when its last one ends."""
    return _start(scope.first, scope.zone), _start(scope.last + timedelta(days=1), scope.zone)


def days_of(scope: Scope) -> list[date]:
    """Return the days of a scope."""
    count = (scope.last - scope.first).days + 1
    return [scope.first + timedelta(days=number) for number in range(count)]


def _start(day: date, zone: str) -> datetime:
    return datetime.combine(day, time.min, ZoneInfo(zone))
