"""Charts of revenue, cost and margin as data."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from datetime import date
from typing import Any, Final

from django.utils import formats
from django.utils.translation import gettext as _
from django.utils.translation import pgettext

from billing.money import format_amount
from gateway.console.finance.query import MarginQuery, group_name
from gateway.selectors.reports.margin import OTHERS, Margin

SERIES: Final = 7
LEAST_POINTS: Final = 3


def largest(rows: Iterable[Margin], currency: str) -> list[str]:
    """Return the names of the groups that a chart of a currency shows on their own."""
    own = sorted((one for one in rows if one.currency == currency), key=lambda one: -one.revenue)
    return [one.name for one in own[:SERIES]]


def margin_chart(
    query: MarginQuery,
    days: Mapping[date, Sequence[Margin]],
    *,
    currency: str,
    names: Mapping[str, str],
) -> dict[str, Any] | None:
    """Return the chart of one currency by day; None for too few days with figures.

    By model, provider or organization it stacks the revenue of the largest and of all others; else
    it draws revenue, cost and margin.
    """
    shown = {
        day: [one for one in figures if one.currency == currency] for day, figures in days.items()
    }
    if sum(bool(figures) for figures in shown.values()) < LEAST_POINTS:
        return None
    labels = query.period.days
    chart: dict[str, Any] = {
        "unit": currency,
        "labels": [formats.date_format(day, "j M") for day in labels],
    }
    if query.by in {"day", "currency"}:
        return chart | {"kind": "line", "series": _sums(labels, shown, currency)}
    series = _groups(query, labels, shown, currency, names)
    return chart | {"kind": "bar", "stacked": True, "series": series}


def _sums(
    labels: Sequence[date], shown: Mapping[date, Sequence[Margin]], currency: str
) -> list[dict[str, Any]]:
    figures = (
        (pgettext("account", "Revenue"), "revenue"),
        (_("Cost"), "cost"),
        (_("Margin"), "margin"),
    )
    return [
        {
            "name": name,
            "values": [
                format_amount(sum(getattr(one, field) for one in shown.get(day, ())), currency)
                for day in labels
            ],
        }
        for name, field in figures
    ]


def _groups(
    query: MarginQuery,
    labels: Sequence[date],
    shown: Mapping[date, Sequence[Margin]],
    currency: str,
    names: Mapping[str, str],
) -> list[dict[str, Any]]:
    totals: Counter[str] = Counter()
    cells: Counter[tuple[str, date]] = Counter()
    for day, figures in shown.items():
        for one in figures:
            totals[one.name] += one.revenue
            cells[one.name, day] += one.revenue
    is_rest = OTHERS in totals
    totals.pop(OTHERS, None)
    groups = [name for name, _total in totals.most_common()] + [OTHERS] * is_rest
    return [
        {
            "name": _("Others") if name == OTHERS else group_name(query.by, name, names),
            "values": [format_amount(cells[name, day], currency) for day in labels],
            "url": ""
            if name == OTHERS
            else query.period.with_(**{query.by: name}, currency=currency, by="day"),
        }
        for name in groups
    ]
