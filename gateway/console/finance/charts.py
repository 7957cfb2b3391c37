"""Charts of revenue, cost and margin as data."""

from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import date
from typing import Any, Final

from django.utils import formats
from django.utils.translation import gettext as _
from django.utils.translation import pgettext

from billing.money import format_amount
from gateway.console.finance.query import MarginQuery, group_name
from gateway.selectors.reports.margin import Margin

SERIES: Final = 7
LEAST_POINTS: Final = 3


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
    series = _largest(query, labels, shown, currency, names)
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


def _largest(
    query: MarginQuery,
    labels: Sequence[date],
    shown: Mapping[date, Sequence[Margin]],
    currency: str,
    names: Mapping[str, str],
) -> list[dict[str, Any]]:
    totals: Counter[str] = Counter()
    cells: Counter[tuple[str | None, date]] = Counter()
    for figures in shown.values():
        for one in figures:
            totals[one.name] += one.revenue
    largest = {name for name, _total in totals.most_common(SERIES)}
    for day, figures in shown.items():
        for one in figures:
            cells[one.name if one.name in largest else None, day] += one.revenue
    groups: list[str | None] = [name for name, _total in totals.most_common(SERIES)]
    if len(totals) > SERIES:
        groups.append(None)
    return [
        {
            "name": _("Others") if name is None else group_name(query.by, name, names),
            "values": [format_amount(cells[name, day], currency) for day in labels],
            "url": ""
            if name is None
            else query.period.with_(**{query.by: name}, currency=currency, by="day"),
        }
        for name in groups
    ]
