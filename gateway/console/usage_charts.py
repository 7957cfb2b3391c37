"""Charts of usage as data: spend, endings, success and times by day."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import date
from typing import Any, Final

from django.utils import formats
from django.utils.translation import gettext as _

from billing.money import format_amount
from gateway.selectors.figures import DayTotals, Latency, Scope, Spend, days_of

LEAST_POINTS: Final = 3
LEAST_GROUPS: Final = 2


def group_name(by: str, group: str | None, names: Mapping[str, str]) -> str:
    """Return what a group is called."""
    if group is None:
        return _("Others")
    if by == "api_key_id":
        return names.get(group, group[:8])
    return group or (_("Without a user") if by == "user" else _("Other"))


def spend_chart(
    scope: Scope,
    rows: Sequence[Spend],
    *,
    currency: str,
    names: Mapping[str | None, str],
    urls: Mapping[str | None, str],
) -> dict[str, Any] | None:
    """Return the chart of spend by day, the largest group first; None for too few days."""
    days = days_of(scope)
    if len(days) < LEAST_POINTS or not rows:
        return None
    totals: dict[str | None, int] = {}
    cells: dict[tuple[str | None, date], int] = {}
    for row in rows:
        totals[row.group] = totals.get(row.group, 0) + row.micros
        cells[row.group, row.day] = row.micros
    order = sorted(totals, key=lambda group: (group is None, -totals[group], group or ""))
    return {
        "kind": "bar",
        "stacked": True,
        "unit": currency,
        "labels": _labels(days),
        "series": [
            {
                "name": names[group],
                "values": [format_amount(cells.get((group, day), 0), currency) for day in days],
                "url": urls.get(group, ""),
            }
            for group in order
        ],
    }


def ending_chart(days: Sequence[DayTotals]) -> dict[str, Any] | None:
    """Return the chart of how requests ended, for what is charged nothing."""
    if len(days) < LEAST_POINTS or not any(day.succeeded or day.failed for day in days):
        return None
    return {
        "kind": "bar",
        "stacked": True,
        "unit": _("requests"),
        "labels": _labels([day.day for day in days]),
        "series": [
            {"name": _("Succeeded"), "values": [day.succeeded for day in days]},
            {"name": _("Failed"), "values": [day.failed for day in days]},
        ],
    }


def latency_chart(scope: Scope, times: Sequence[Latency]) -> dict[str, Any] | None:
    """Return the chart of p50 and p95 by day; None for fewer than three days with images."""
    if len(times) < LEAST_POINTS:
        return None
    found = {one.day: one for one in times}
    days = days_of(scope)
    return {
        "kind": "line",
        "unit": "s",
        "labels": _labels(days),
        "series": [
            {"name": name, "values": [_seconds(found.get(day), field) for day in days]}
            for name, field in (("p50", "p50_s"), ("p95", "p95_s"))
        ],
    }


def _seconds(one: Latency | None, field: str) -> float | None:
    return None if one is None else round(getattr(one, field), 2)


def _labels(days: Sequence[date]) -> list[str]:
    return [formats.date_format(day, "j M") for day in days]


def success_chart(days: Sequence[DayTotals]) -> dict[str, Any] | None:
    """Return the chart of the share that delivered; None for fewer than three days with any."""
    shares = [_share(day) for day in days]
    if sum(share is not None for share in shares) < LEAST_POINTS:
        return None
    return {
        "kind": "line",
        "unit": "%",
        "labels": _labels([day.day for day in days]),
        "series": [{"name": _("Success rate"), "values": shares}],
    }


def group_latency_chart(
    scope: Scope, times: Sequence[Latency], field: str, names: Mapping[str | None, str]
) -> dict[str, Any] | None:
    """Return the chart of `p50_s` or `p95_s` of several groups by day; None for fewer than two."""
    found = {(one.group, one.day): one for one in times}
    order = _by_count(times)
    days = days_of(scope)
    if len(order) < LEAST_GROUPS or len({one.day for one in times}) < LEAST_POINTS:
        return None
    return {
        "kind": "line",
        "unit": "s",
        "labels": _labels(days),
        "series": [
            {
                "name": names[group],
                "values": [_seconds(found.get((group, day)), field) for day in days],
            }
            for group in order
        ],
    }


def _by_count(times: Iterable[Latency]) -> list[str | None]:
    """Return the groups, that with most images first and the others last."""
    counts: dict[str | None, int] = {}
    for one in times:
        counts[one.group] = counts.get(one.group, 0) + one.count
    return sorted(counts, key=lambda group: (group is None, -counts[group], group or ""))


def _share(day: DayTotals) -> float | None:
    ended = day.succeeded + day.failed
    return round(day.succeeded * 100 / ended, 1) if ended else None
