"""Charges of a month in UTC, beside those on its statements."""

from collections.abc import Mapping
from datetime import UTC, date, datetime, timedelta
from typing import Any, Final

from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import render
from django.utils import formats

from billing.console.finance.reports.files import report_file
from billing.console.finance.reports.period import Period, PeriodForm
from billing.console.finance.topups import FinanceView
from billing.selectors.periods.months import last_day_of, month_of
from billing.selectors.reports.cutoffs import list_cutoffs
from core.clock import now
from core.workbooks import Column

SHOWN: Final = 200
CHIPS: Final = 6
COLUMNS: Final = (
    Column("month", "date"), Column("organization"), Column("organization_id"),
    Column("time_zone"), Column("currency"), Column("in_utc", "amount"),
    Column("on_earlier_statement", "amount"), Column("on_later_statement", "amount"),
    Column("of_month_before", "amount"), Column("of_month_after", "amount"),
    Column("on_statement", "amount"),
)  # fmt: skip


class CutoffsView(FinanceView):
    """How the month of UTC becomes what the statements say."""

    def get(self, request: HttpRequest) -> HttpResponse:
        """Show it, by organization."""
        month = _month(request.GET)
        rows = list_cutoffs(month)
        context: dict[str, Any] = {
            "report": "cutoffs",
            "period": Period(month, last_day_of(month), PeriodForm({}), {}),
            "month": month,
            "months": [(one, formats.date_format(one, "F Y")) for one in _last_months()],
            "rows": rows[:SHOWN],
            "more": max(len(rows) - SHOWN, 0),
        }
        return render(request, "console/finance/reports/cutoffs.html", context)


class CutoffsFileView(FinanceView):
    """The same as a file."""

    def get(self, request: HttpRequest, kind: str) -> HttpResponseBase:
        """Send it."""
        month = _month(request.GET)
        rows = (
            (
                month, row.organization, str(row.organization_id), row.zone, row.currency,
                row.platform, row.earlier, row.later, row.before, row.after, row.statement,
            )
            for row in list_cutoffs(month)
        )  # fmt: skip
        return report_file(kind, name=f"cut_offs-{month:%Y-%m}", columns=COLUMNS, rows=rows)


def _last_months() -> list[date]:
    """Return the months that are over, the last one first."""
    found = [month_of(now()) - timedelta(days=1)]
    while len(found) < CHIPS:
        found.append(found[-1].replace(day=1) - timedelta(days=1))
    return [one.replace(day=1) for one in found]


def _month(data: Mapping[str, Any]) -> date:
    try:
        asked = datetime.strptime(str(data.get("month", "")), "%Y-%m").replace(tzinfo=UTC)
    except ValueError:
        return _last_months()[0]
    return min(asked.date(), month_of(now()))
