"""Open holds by age."""

from collections.abc import Mapping
from typing import Final

from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import render
from django.utils.functional import Promise
from django.utils.translation import pgettext_lazy

from billing.console.finance.reports.files import report_file
from billing.console.finance.reports.period import parse_period
from billing.console.finance.topups import FinanceView
from billing.selectors.reports.holds import AGES, list_aged_holds, list_open_holds
from core.clock import now
from core.workbooks import Column

SHOWN: Final = 100
MOST_IN_FILE: Final = 100_000
NAMES: Final[Mapping[str, Promise]] = {
    "minute": pgettext_lazy("age", "Up to a minute"),
    "five_minutes": pgettext_lazy("age", "Up to five minutes"),
    "hour": pgettext_lazy("age", "Up to an hour"),
    "longer": pgettext_lazy("age", "More than an hour"),
}
COLUMNS: Final = (
    Column("authorized_at", "moment"), Column("deadline_at", "moment"), Column("reference"),
    Column("organization_id"), Column("organization"), Column("images", "count"),
    Column("amount", "amount"), Column("currency"),
)  # fmt: skip


class HoldsView(FinanceView):
    """What is set aside and not ended, by how long it has been."""

    def get(self, request: HttpRequest) -> HttpResponse:
        """Show the ages, and the oldest holds of one or all of them."""
        moment = now()
        age = request.GET.get("age")
        age = age if age in AGES else None
        holds = list_open_holds(now=moment, limit=SHOWN + 1, age=age)
        context = {
            "period": parse_period({}),
            "report": "holds",
            "now": moment,
            "age": age,
            "ages": [(one, NAMES[one.age]) for one in list_aged_holds(now=moment)],
            "chips": list(NAMES.items()),
            "holds": [(hold, hold.deadline_at < moment) for hold in holds[:SHOWN]],
            "is_more": len(holds) > SHOWN,
        }
        return render(request, "console/finance/reports/holds.html", context)


class HoldsFileView(FinanceView):
    """The open holds as a file."""

    def get(self, request: HttpRequest, kind: str) -> HttpResponseBase:
        """Send them."""
        rows = (
            (
                hold.authorized_at, hold.deadline_at, hold.reference, hold.organization_id,
                hold.organization_name, hold.count, hold.amount_micros, hold.currency,
            )
            for hold in list_open_holds(now=now(), limit=MOST_IN_FILE)
        )  # fmt: skip
        return report_file(kind, name="open_holds", columns=COLUMNS, rows=rows)
