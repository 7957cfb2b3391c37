"""This month in figures, each beside last month's and leading to its report."""

from dataclasses import dataclass
from datetime import UTC, date, timedelta
from typing import Any, Final

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render

from billing.console.finance.topups import FinanceView
from billing.selectors.reports.liability import list_roll_forwards
from core.clock import now
from gateway.console.finance.charts import margin_chart
from gateway.console.finance.query import parse_margin_query
from gateway.selectors.reports.margin import (
    Margin,
    MarginScope,
    list_daily_margins,
    list_margins,
)

CHARTED_DAYS: Final = 30
# Of the currencies with the most images.
CHARTS: Final = 3


@dataclass(frozen=True, slots=True)
class Change:
    """A figure now and before, in micros."""

    now: int
    before: int

    @property
    def percent(self) -> int | None:
        """Return the change in percent of what was before; None where that was nothing."""
        return round((self.now - self.before) * 100 / self.before) if self.before > 0 else None

    @property
    def micros(self) -> int:
        """Return the change."""
        return self.now - self.before


@dataclass(frozen=True, slots=True)
class CurrencyFigures:
    """The four figures of one currency; those of images are None where there were none."""

    currency: str
    revenue: Change | None
    cost: Change | None
    margin: Change | None
    liability: Change | None


class OverviewView(FinanceView):
    """Revenue, cost, margin and prepaid liability of the month so far."""

    def get(self, request: HttpRequest) -> HttpResponse:
        """Show them by currency."""
        today = now().astimezone(UTC).date()
        first = today.replace(day=1)
        before = (first - timedelta(days=1)).replace(day=1)
        # As many days of last month, at most all of it.
        until = min(before + (today - first), first - timedelta(days=1))
        context = {
            "figures": _figures(first, today, before, until),
            "this": f"?since={first}&until={today}",
            "before": f"?since={before}&until={until}",
            "before_first": before,
            "before_last": until,
            "charts": _charts(today),
        }
        return render(request, "console/finance/overview.html", context)


def _charts(today: date) -> list[tuple[str, dict[str, Any]]]:
    """Return revenue, cost and margin by day, by currency."""
    since = today - timedelta(days=CHARTED_DAYS - 1)
    query = parse_margin_query({"since": str(since), "until": str(today), "by": "currency"})
    sums = sorted(list_margins(query.scope, by="currency"), key=lambda one: -one.images)
    names = [one.currency for one in sums]
    days = list_daily_margins(query.scope, by="currency", names=names) if sums else {}
    charts = (
        (one.currency, margin_chart(query, days, currency=one.currency, names={}))
        for one in sums[:CHARTS]
    )
    return [(currency, chart) for currency, chart in charts if chart]


def _figures(first: date, today: date, before: date, until: date) -> list[CurrencyFigures]:
    current = {one.name: one for one in list_margins(MarginScope(first, today), by="currency")}
    past = {one.name: one for one in list_margins(MarginScope(before, until), by="currency")}
    liabilities: dict[str, Change] = {}
    for way in list_roll_forwards(begins=first, ends=today):
        sofar = liabilities.get(way.currency, Change(0, 0))
        liabilities[way.currency] = Change(sofar.now + way.closing, sofar.before + way.opening)
    found = []
    for currency in sorted({*current, *past, *liabilities}):
        has_images = currency in current or currency in past
        nothing = Margin(currency, currency, 0, 0, 0, 0)
        new, old = current.get(currency, nothing), past.get(currency, nothing)
        found.append(
            CurrencyFigures(
                currency,
                Change(new.revenue + new.spread, old.revenue + old.spread) if has_images else None,
                Change(new.cost, old.cost) if has_images else None,
                Change(new.margin, old.margin) if has_images else None,
                liabilities.get(currency),
            )
        )
    return found
