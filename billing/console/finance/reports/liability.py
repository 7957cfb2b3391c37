"""The prepaid liability's way through a period."""

from collections.abc import Iterator, Sequence
from typing import Final

from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import render

from billing.console.finance.reports.files import report_file
from billing.console.finance.reports.period import parse_period
from billing.console.finance.reports.words import account_name, entry_name
from billing.console.finance.topups import FinanceView
from billing.selectors.reports.liability import RollForward, list_roll_forwards
from core.workbooks import Column

COLUMNS: Final = (
    Column("account"), Column("currency"), Column("item"), Column("amount", "amount"),
)  # fmt: skip


class LiabilityView(FinanceView):
    """Opening, what was added and spent, and closing, by currency."""

    def get(self, request: HttpRequest) -> HttpResponse:
        """Show it."""
        period = parse_period(request.GET)
        ways = list_roll_forwards(begins=period.first, ends=period.last)
        context = {
            "period": period,
            "report": "liability",
            "ways": [
                {
                    "of": way,
                    "name": account_name(way.code),
                    "moves": [(entry_name(kind), micros) for kind, micros in way.moves.items()],
                }
                for way in ways
            ],
        }
        return render(request, "console/finance/reports/liability.html", context)


class LiabilityFileView(FinanceView):
    """The same as a file."""

    def get(self, request: HttpRequest, kind: str) -> HttpResponseBase:
        """Send it."""
        period = parse_period(request.GET)
        ways = list_roll_forwards(begins=period.first, ends=period.last)
        name = f"prepaid_liability-{period.first}-{period.last}"
        return report_file(kind, name=name, columns=COLUMNS, rows=_rows(ways))


def _rows(ways: Sequence[RollForward]) -> Iterator[Sequence[object]]:
    for way in ways:
        yield way.code, way.currency, "opening", way.opening
        for kind, micros in way.moves.items():
            yield way.code, way.currency, kind, micros
        yield way.code, way.currency, "closing", way.closing
