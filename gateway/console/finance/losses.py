"""Attempts that cost money and delivered nothing, by provider and model."""

from collections.abc import Mapping
from typing import Any, Final

from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import render
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy

from billing.console.finance.reports.files import report_file
from billing.console.finance.reports.journal import read_place
from billing.console.finance.reports.period import Period, parse_period
from billing.console.finance.topups import FinanceView
from core.workbooks import Column
from gateway.selectors.reports.losses import LossScope, list_losses, list_lost_attempts

PAGE: Final = 50
CURRENCY: Final = "USD"
OUTCOMES: Final[Mapping[str, tuple[str, Promise]]] = {
    "failed": ("failed", pgettext_lazy("attempt", "Failed")),
    "refused": ("warning", pgettext_lazy("attempt", "Refused")),
    "late": ("warning", pgettext_lazy("attempt", "Too late")),
    "unknown": ("warning", pgettext_lazy("attempt", "Unknown outcome")),
}
FILTERS: Final[Mapping[str, Promise]] = {
    "provider": _("Provider"),
    "model": _("Model"),
    "status": _("Outcome"),
}
COLUMNS: Final = (
    Column("provider"), Column("model"), Column("outcome"), Column("attempts", "count"),
    Column("cost", "amount"), Column("currency"),
)  # fmt: skip


class LossesView(FinanceView):
    """Sums by provider, model and outcome; the attempts once a filter is chosen."""

    def get(self, request: HttpRequest) -> HttpResponse:
        """Show them."""
        scope, period, filters = _parse(request.GET)
        rows = list_losses(scope)
        context: dict[str, Any] = {
            "period": period,
            "report": "losses",
            "currency": CURRENCY,
            "rows": [
                {
                    "of": row,
                    "outcome": OUTCOMES[row.status],
                    "lines": period.with_(
                        provider=row.provider, model=row.model, status=row.status
                    ),
                }
                for row in rows
            ],
            "count": sum(row.count for row in rows),
            "micros": sum(row.micros for row in rows),
            "chosen": [
                (FILTERS[name], value, period.with_(**{name: None}))
                for name, value in filters.items()
            ],
        }
        if filters:
            context |= self.attempts(scope, request.GET.get("cursor", ""))
        return render(request, "console/finance/reports/losses.html", context)

    def attempts(self, scope: LossScope, cursor: str) -> dict[str, Any]:
        """Return a page of the attempts."""
        place = read_place(cursor)
        after = None if place is None else (place.effective_at, place.entry_id)
        found = list_lost_attempts(scope, limit=PAGE + 1, after=after)
        shown = found[:PAGE]
        last = shown[-1] if len(found) > PAGE else None
        return {
            "attempts": [(one, OUTCOMES[one.status]) for one in shown],
            "next_cursor": f"{last.finished_at.isoformat()}_{last.id}_0" if last else None,
        }


class LossesFileView(FinanceView):
    """The same sums as a file."""

    def get(self, request: HttpRequest, kind: str) -> HttpResponseBase:
        """Send them."""
        scope, _period, _filters = _parse(request.GET)
        rows = (
            (row.provider, row.model, row.status, row.count, row.micros, CURRENCY)
            for row in list_losses(scope)
        )
        name = f"cost_without_delivery-{scope.first}-{scope.last}"
        return report_file(kind, name=name, columns=COLUMNS, rows=rows)


def _parse(data: Mapping[str, Any]) -> tuple[LossScope, Period, dict[str, str]]:
    filters = {name: str(data[name])[:100] for name in FILTERS if data.get(name)}
    if filters.get("status") not in OUTCOMES:
        filters.pop("status", None)
    period = parse_period(data, **filters)
    return LossScope(period.first, period.last, **filters), period, filters
