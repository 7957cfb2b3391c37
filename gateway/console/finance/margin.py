"""Revenue, cost and margin of a period, down to the postings they sum up."""

from collections.abc import Sequence
from datetime import date
from typing import Any, Final

from django.http import Http404, HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import render
from django.utils.functional import Promise

from billing.console.finance.reports.files import report_file
from billing.console.finance.reports.journal import read_place
from billing.console.finance.reports.words import account_name
from billing.console.finance.topups import FinanceView
from core.workbooks import Column
from gateway.console.finance.charts import largest, margin_chart
from gateway.console.finance.query import BY, MarginQuery, group_name, parse_margin_query
from gateway.selectors.reports.margin import (
    Margin,
    MarginLine,
    list_daily_margins,
    list_margin_lines,
    list_margins,
    organization_names,
    sum_margins,
)
from gateway.selectors.reports.margin_sql import CODES

PAGE: Final = 50
SHOWN: Final = 200
COLUMNS: Final = (
    Column("currency"), Column("images", "count"), Column("revenue", "amount"),
    Column("exchange_spread", "amount"), Column("cost", "amount"), Column("margin", "amount"),
)  # fmt: skip


class MarginView(FinanceView):
    """Figures by day, model, provider, organization or currency."""

    def get(self, request: HttpRequest) -> HttpResponse:
        """Show them as a chart and a table."""
        query = parse_margin_query(request.GET)
        rows = list_margins(query.scope, by=query.by)
        totals = sum_margins(rows)
        names = names_of(query, rows)
        currency = max(totals, key=lambda one: (one.revenue, one.cost)).currency if totals else ""
        chart = None
        if totals:
            chart = margin_chart(
                query, _days(query, rows, currency), currency=currency, names=names
            )
        context = {
            "period": query.period,
            "report": "margin",
            "query": query,
            "groups": self.groups(query),
            "chosen": filter_chips(query, names),
            "rows": [
                {"of": row, "name": group_name(query.by, row.name, names), **links(query, row)}
                for row in rows[:SHOWN]
            ],
            "more": len(rows) - SHOWN,
            "totals": [
                {"of": one, "lines": query.period.with_(by=None, currency=one.currency)}
                for one in totals
            ],
            "chart": chart,
            "currency": currency,
        }
        return render(request, "console/finance/reports/margin.html", context)

    def groups(self, query: MarginQuery) -> list[tuple[str, Promise, str, bool]]:
        """Return the chips of the groupings."""
        return [(by, name, query.period.with_(by=by), by == query.by) for by, name in BY.items()]


class MarginFileView(FinanceView):
    """The same table as a file."""

    def get(self, request: HttpRequest, kind: str) -> HttpResponseBase:
        """Send it."""
        query = parse_margin_query(request.GET)
        rows = list_margins(query.scope, by=query.by)
        names = names_of(query, rows)
        first = Column(query.by, "date" if query.by == "day" else "text")
        extra = (Column("organization_id"),) if query.by == "organization" else ()
        cells = (
            (
                date.fromisoformat(row.name) if query.by == "day"
                else names.get(row.name, row.name),
                *((row.name,) if extra else ()),
                row.currency, row.images, row.revenue, row.spread, row.cost, row.margin,
            )
            for row in rows
        )  # fmt: skip
        name = f"margin-{query.by}-{query.scope.first}-{query.scope.last}"
        return report_file(kind, name=name, columns=(first, *extra, *COLUMNS), rows=cells)


class MarginLinesView(FinanceView):
    """The postings that a figure sums up, and their sum."""

    def get(self, request: HttpRequest, code: str) -> HttpResponse:
        """Show a page of them, in order of effect.

        Raises:
            Http404: It is no account of margins.
        """
        if code not in CODES:
            raise Http404
        query = parse_margin_query(request.GET)
        after = read_place(request.GET.get("cursor", ""))
        lines = list_margin_lines(query.scope, code=code, limit=PAGE + 1, after=after)
        totals = list_margins(query.scope, by="currency")
        shown = lines[:PAGE]
        names = organization_names({str(line.organization_id) for line in shown})
        context = {
            "period": query.period,
            "code": code,
            "name": account_name(code),
            "chosen": filter_chips(query, names),
            "totals": [(one.currency, _figure(one, code)) for one in totals if _figure(one, code)],
            "lines": [
                (line, group_name("organization", str(line.organization_id), names))
                for line in shown
            ],
            "next_cursor": _cursor(shown[-1]) if len(lines) > PAGE else None,
        }
        return render(request, "console/finance/reports/margin_lines.html", context)


def _days(query: MarginQuery, rows: Sequence[Margin], currency: str) -> dict[date, list[Margin]]:
    """Return what the chart of a currency draws, by day."""
    if query.by != "day":
        return list_daily_margins(query.scope, by=query.by, names=largest(rows, currency))
    days: dict[date, list[Margin]] = {}
    for row in rows:
        days.setdefault(date.fromisoformat(row.name), []).append(row)
    return days


def names_of(query: MarginQuery, rows: Sequence[Margin]) -> dict[str, str]:
    """Return the names of the organizations that are shown or filtered by; none of others."""
    ids = {row.name for row in rows} if query.by == "organization" else set()
    if query.scope.organization:
        ids.add(str(query.scope.organization))
    return organization_names(ids) if ids else {}


def links(query: MarginQuery, row: Margin) -> dict[str, str]:
    """Return the addresses of what is within a row, and of the postings it sums up."""
    own: dict[str, Any] = {query.by: row.name}
    within = "day"
    if query.by == "day":
        own, within = {"since": row.name, "until": row.name}, "model"
    own["currency"] = row.currency
    return {
        "within": query.period.with_(**{**own, "by": within}),
        "lines": query.period.with_(**{**own, "by": None}),
    }


def filter_chips(query: MarginQuery, names: dict[str, str]) -> list[tuple[Promise, str, str]]:
    """Return the chips that take a filter away."""
    return [
        (BY[name], group_name(name, value, names), query.period.with_(**{name: None}))
        for name, value in query.filters.items()
    ]


def _figure(margin: Margin, code: str) -> int:
    return {"revenue": margin.revenue, "fx_spread": margin.spread}.get(code, margin.cost)


def _cursor(line: MarginLine) -> str:
    return f"{line.effective_at.isoformat()}_{line.entry_id}_{line.line}"
