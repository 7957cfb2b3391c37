"""Usage: what was spent and drawn by day, and by model, API key or user."""

import csv
import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any, Final

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils import formats, timezone
from django.utils.functional import Promise
from django.utils.translation import gettext as _

from billing.money import format_amount
from core.clock import now
from gateway.console.usage_query import FILTERS, GROUPS, UsageQuery, parse_query, presets
from gateway.selectors.figures import (
    DayTotals,
    GroupTotals,
    Latency,
    Scope,
    Spend,
    day_totals,
    latencies,
    spend_by,
    totals_by,
)
from gateway.selectors.requests import plain_cell
from gateway.selectors.rollups import NO_KEY
from orgs.console.access import OrganizationView
from orgs.permissions import Permission
from orgs.selectors.api_keys import list_keys

ROWS: Final = 200
ALL: Final = 1_000_000
LEAST_POINTS: Final = 3


@dataclass(frozen=True, slots=True)
class Line:
    """One line of the table: a group, what it is called, and the addresses it leads to."""

    totals: GroupTotals
    name: str
    charges: str
    only: str


class FiguresView(OrganizationView):
    """What pages of figures have in common."""

    permission = Permission.VIEW_USAGE

    @property
    def today(self) -> date:
        """Return the day in the organization's zone."""
        return timezone.localdate(now())

    def query(self, *, livemode: bool | None = None, with_user: bool = False) -> UsageQuery:
        """Return what the address asks for; see `parse_query`."""
        return parse_query(
            self.request.GET.dict(),
            organization=self.organization,
            livemode=self.livemode if livemode is None else livemode,
            today=self.today,
            with_user=with_user,
        )

    def key_names(self) -> dict[str, str]:
        """Return what each API key is called, ended ones too. One query."""
        keys = list_keys(organization_id=self.organization.id, now=now())
        return {str(key.id): key.name for key in keys} | {NO_KEY: _("Console")}


class UsageView(FiguresView):
    """Figures of a period with charts and a table."""

    def get(self, request: HttpRequest) -> HttpResponse:
        """Show them."""
        query = self.query()
        names = self.key_names()
        groups = totals_by(query.scope, by=query.by)
        lines = [self._line(query, one, names) for one in groups]
        context = {
            "query": query,
            "presets": presets(query, today=self.today),
            "groupings": self._groupings(query),
            "filters": filter_chips(query, names),
            "lines": lines[:ROWS],
            "more": max(len(lines) - ROWS, 0),
            "total": next(iter(totals_by(query.scope, by=None)), None),
            "charges": query.address(),
            "chart": self._chart(query, names),
            "latency_chart": latency_chart(query.scope, latencies(query.scope)),
            "currency": self.organization.currency,
            "by_user": query.by == "user",
            "may_see_requests": self.may(Permission.VIEW_GENERATIONS),
        }
        return render(request, "console/usage/page.html", context)

    def _line(self, query: UsageQuery, totals: GroupTotals, names: Mapping[str, str]) -> Line:
        own = {FILTERS[query.by]: totals.group}
        return Line(
            totals,
            group_name(query.by, totals.group, names),
            charges=query.address(**own),
            only=query.address(**own, by="api_key_id" if query.by == "model" else "model"),
        )

    def _groupings(self, query: UsageQuery) -> list[tuple[str, Promise, str, bool]]:
        """Return the groups to choose from; users are known of charges alone."""
        return [
            (by, label, query.address(by=by), by == query.by)
            for by, label in GROUPS.items()
            if self.livemode or by != "user"
        ]

    def _chart(self, query: UsageQuery, names: Mapping[str, str]) -> dict[str, Any] | None:
        if not self.livemode:
            return ending_chart(day_totals(query.scope))
        rows = spend_by(query.scope, by=query.by)
        groups = {row.group for row in rows}
        charges = f"{self.request.path}/charges"
        filters = {group: {FILTERS[query.by]: group} for group in groups if group is not None}
        return spend_chart(
            query.scope,
            rows,
            currency=self.organization.currency,
            names={group: group_name(query.by, group, names) for group in groups},
            urls={group: charges + query.address(**own) for group, own in filters.items()},
        )


class UsageCsvView(FiguresView):
    """The same figures by day, as a file."""

    def get(self, request: HttpRequest) -> HttpResponse:
        """Return a line for each day and group; of live keys, as others are charged nothing."""
        query = self.query(livemode=True)
        names = self.key_names()
        text = io.StringIO()
        writer = csv.writer(text, lineterminator="\r\n")
        writer.writerow(["day", query.by, "name", "requests", "images", "amount", "currency"])
        currency = self.organization.currency
        for row in spend_by(query.scope, by=query.by, series=ALL):
            cells: Sequence[object] = (
                row.day.isoformat(),
                row.group,
                group_name(query.by, row.group, names),
                row.requests,
                row.images,
                format_amount(row.micros, currency),
                currency,
            )
            writer.writerow([plain_cell(cell) for cell in cells])
        name = f"usage-{query.scope.first}-{query.scope.last}.csv"
        return HttpResponse(
            text.getvalue(),
            content_type="text/csv; charset=utf-8",
            headers={"Content-Disposition": f'attachment; filename="{name}"'},
        )


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
    days = _days(scope)
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
    days = _days(scope)
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


def _days(scope: Scope) -> list[date]:
    return [
        scope.first + timedelta(days=number)
        for number in range((scope.last - scope.first).days + 1)
    ]


def _labels(days: Sequence[date]) -> list[str]:
    return [formats.date_format(day, "j M") for day in days]


def filter_chips(query: UsageQuery, names: Mapping[str, str]) -> list[tuple[str, str, str]]:
    """Return the filters that are set, as (what, value, the address without it)."""
    found = []
    for by, name in FILTERS.items():
        value = query.filters.get(name)
        if value is not None:
            address = query.address(**{name: None}, by=query.by)
            found.append((str(GROUPS[by]), group_name(by, value, names), address))
    return found
