"""Usage: what was spent and drawn by day, and by model, API key or user."""

import csv
import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any, Final

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils import timezone
from django.utils.functional import Promise
from django.utils.translation import gettext as _

from billing.money import format_amount
from core.clock import now
from gateway.console.usage_changes import changes_of, earlier
from gateway.console.usage_charts import (
    ending_chart,
    group_latency_chart,
    group_name,
    latency_chart,
    spend_chart,
    success_chart,
)
from gateway.console.usage_query import FILTERS, GROUPS, UsageQuery, parse_query, presets
from gateway.selectors.figures import SERIES, GroupTotals, Spend, spend_by, totals_by
from gateway.selectors.report import Report, read_report
from gateway.selectors.requests import plain_cell
from gateway.selectors.rollups import NO_KEY
from gateway.selectors.users import UserRanking, rank_users, user_spend
from orgs.console.access import OrganizationView
from orgs.permissions import Permission
from orgs.selectors.api_keys import list_keys

ROWS: Final = 200
ALL: Final = 1_000_000


@dataclass(frozen=True, slots=True)
class Line:
    """One line of the table: a group, what it is called, and the addresses it leads to."""

    totals: GroupTotals
    name: str
    charges: str
    only: str
    requests: str


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
        own = self._by_user(query) if query.by == "user" else self._by_group(query, names)
        report: Report = own.pop("report")
        total = report.total()
        context = {
            "query": query,
            "presets": presets(query, today=self.today),
            "groupings": self._groupings(query),
            "filters": filter_chips(query, names),
            "lines": [self._line(query, one, names) for one in own.pop("groups")],
            "total": total,
            "charges": query.address(),
            "latency_chart": latency_chart(query.scope, report.latencies()),
            "success_chart": success_chart(report.days()),
            "currency": self.organization.currency,
            "by_user": query.by == "user",
            "may_see_requests": self.may(Permission.VIEW_GENERATIONS),
            **own,
        }
        return render(request, "console/usage/page.html", context)

    def _by_group(self, query: UsageQuery, names: Mapping[str, str]) -> dict[str, Any]:
        """Return what is shown by model or key. Two queries, of which one is of the time before."""
        report = read_report(query.scope, by=query.by)
        groups = report.groups()
        times = report.latencies(series=SERIES)
        called = {one.group: group_name(query.by, one.group, names) for one in times}
        before = totals_by(earlier(query.scope), by=query.by)
        return {
            "report": report,
            "groups": groups[:ROWS],
            "more": max(len(groups) - ROWS, 0),
            "chart": self._spend_chart(query, report.spend(), names)
            if self.livemode
            else ending_chart(report.days()),
            "half_chart": group_latency_chart(query.scope, times, "p50_s", called),
            "most_chart": group_latency_chart(query.scope, times, "p95_s", called),
            "changes": changes_of(query, groups, before, names),
        }

    def _by_user(self, query: UsageQuery) -> dict[str, Any]:
        """Return what is shown by user, the dearest of them. Three queries."""
        report = read_report(query.scope, by=None)
        ranking: UserRanking = rank_users(query.scope, most=ROWS)
        largest = [one.group for one in ranking.users[:SERIES]]
        rows = user_spend(query.scope, users=largest) if largest else []
        return {
            "report": report,
            "groups": ranking.users,
            "more": ranking.more,
            "others": ranking.others,
            "chart": self._spend_chart(query, rows, {}),
        }

    def _line(self, query: UsageQuery, totals: GroupTotals, names: Mapping[str, str]) -> Line:
        own = {FILTERS[query.by]: totals.group}
        return Line(
            totals,
            group_name(query.by, totals.group, names),
            charges=query.address(**own),
            only=query.address(**own, by="api_key_id" if query.by == "model" else "model"),
            requests=query.requests_of(**own),
        )

    def _groupings(self, query: UsageQuery) -> list[tuple[str, Promise, str, bool]]:
        """Return the groups to choose from; users are known of charges alone."""
        return [
            (by, label, query.address(by=by), by == query.by)
            for by, label in GROUPS.items()
            if self.livemode or by != "user"
        ]

    def _spend_chart(
        self, query: UsageQuery, rows: Sequence[Spend], names: Mapping[str, str]
    ) -> dict[str, Any] | None:
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


def filter_chips(query: UsageQuery, names: Mapping[str, str]) -> list[tuple[str, str, str]]:
    """Return the filters that are set, as (what, value, the address without it)."""
    found = []
    for by, name in FILTERS.items():
        value = query.filters.get(name)
        if value is not None:
            address = query.address(**{name: None}, by=query.by)
            found.append((str(GROUPS[by]), group_name(by, value, names), address))
    return found
