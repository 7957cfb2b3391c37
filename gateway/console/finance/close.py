"""The checklist of the month that is closed next, and the months that are closed."""

from dataclasses import dataclass
from datetime import date, datetime
from typing import Any, Final

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils import formats, timezone
from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext, ngettext_lazy

from billing.console.finance.topups import FinanceView
from billing.selectors.periods.closes import list_closed, next_month
from billing.selectors.periods.months import last_day_of
from billing.services.periods.checklist import Line
from billing.services.rates.revaluation import revalue_fx
from core.clock import now
from core.errors import AppError
from gateway.console.operations.findings import CheckRow, check_row
from gateway.services.operations.checks import request_ledger_check
from gateway.services.periods.closing import close_month, list_checklist
from orgs.console.failures import toast_failure

CLOSED: Final = 60
TITLES: Final[dict[str, Promise]] = {
    "over": gettext_lazy("The month is over"),
    "holds": gettext_lazy("Nothing is set aside any more"),
    "transfers": gettext_lazy("Payments are decided"),
    "unmatched": gettext_lazy("Every payment fits"),
    "rates": gettext_lazy("Closing rates are there"),
    "revaluation": gettext_lazy("Foreign currencies are revalued"),
    "statements": gettext_lazy("Statements are issued"),
    "providers": gettext_lazy("Providers are reconciled"),
    "ledger": gettext_lazy("The ledger is checked"),
}
COUNTED: Final = {
    "holds": ngettext_lazy("%(count)d open hold", "%(count)d open holds", "count"),
    "transfers": ngettext_lazy(
        "%(count)d payment waits for a second person",
        "%(count)d payments wait for a second person",
        "count",
    ),
    "unmatched": ngettext_lazy(
        "%(count)d unmatched payment", "%(count)d unmatched payments", "count"
    ),
    "statements": ngettext_lazy(
        "%(count)d is missing: %(names)s. It is issued by itself, an hour after the month there.",
        "%(count)d are missing: %(names)s. They are issued by themselves, an hour after the month"
        " there.",
        "count",
    ),
}
PAGES: Final = {
    "providers": ("finance_reconciliation", ""),
    "holds": ("finance_holds", ""),
    "transfers": ("finance_topups", "#waiting"),
    "unmatched": ("finance_topups", "#unmatched"),
    "rates": ("finance_rates", ""),
}
ACTIONS: Final = {"revaluation": "revalue", "ledger": "check"}
DATED: Final = {"ledger", "revaluation"}


@dataclass(frozen=True, slots=True)
class Row:
    """A line as it is drawn.

    Attributes:
        text: What keeps the month open, or that nothing does.
        url: Of what does, where it has a page.
        action: `revalue` or `check`, where a button here helps.
    """

    name: str
    title: Promise
    is_done: bool
    text: str
    url: str = ""
    action: str = ""


class CloseView(FinanceView):
    """The checklist, and closing."""

    def get(self, request: HttpRequest) -> HttpResponse:
        """Show it."""
        month = next_month()
        context: dict[str, Any] = {"month": month, "closed": list_closed(limit=CLOSED)}
        if month is not None:
            check = check_row()
            rows = [_row(line, check) for line in list_checklist(month=month, now=now())]
            context |= {
                "rows": rows,
                "check": check,
                "last_day": last_day_of(month),
                "name": _name(month),
                "is_ready": all(row.is_done for row in rows),
                "done": sum(row.is_done for row in rows),
            }
        return render(request, "console/finance/close.html", context)

    def post(self, request: HttpRequest) -> HttpResponse:
        """Close the month that the page showed."""
        month = _month(request)
        if month is not None:
            try:
                close_month(month=month, actor=self.actor, now=now())
                messages.success(request, _("%(month)s is closed.") % {"month": _name(month)})
            except AppError as error:
                toast_failure(request, error)
        return redirect("finance_close")


class RevalueView(FinanceView):
    """Books gains and losses of exchange of the month."""

    def post(self, request: HttpRequest) -> HttpResponse:
        """Book them."""
        month = _month(request)
        if month is not None:
            try:
                revalue_fx(month=month, now=now(), actor=self.actor)
                messages.success(request, _("The foreign currencies are revalued."))
            except AppError as error:
                toast_failure(request, error)
        return redirect("finance_close")


class CheckLedgerView(FinanceView):
    """Starts the check of the ledger."""

    def post(self, request: HttpRequest) -> HttpResponse:
        """Ask for it; the page shows how far it has come."""
        request_ledger_check(actor=self.actor, now=now())
        return redirect("finance_close")


def _month(request: HttpRequest) -> date | None:
    try:
        return date.fromisoformat(request.POST.get("month", ""))
    except ValueError:
        messages.error(request, _("Choose the month again: the page was not whole."))
        return None


def _row(line: Line, check: CheckRow) -> Row:
    title = TITLES[line.name]
    if line.is_done:
        text = _moment(line.at) if line.name in DATED else ""
        if line.name == "revaluation" and not line.names:
            text = _("No foreign currency was used.")
        return Row(line.name, title, is_done=True, text=text)
    page, anchor = PAGES.get(line.name, ("", ""))
    return Row(
        line.name,
        title,
        is_done=False,
        text=_told(line, check),
        url=reverse(page) + anchor if page else "",
        action=ACTIONS.get(line.name, ""),
    )


def _told(line: Line, check: CheckRow) -> str:
    """Return what keeps the month open."""
    names = ", ".join(line.names)
    if line.name in COUNTED:
        return str(COUNTED[line.name] % {"count": line.count, "names": names})
    if line.name == "providers":
        return _("Neither reconciled nor waived: %(names)s") % {"names": names}
    if line.name == "over":
        return _("It can be closed from %(at)s on.") % {"at": _moment(line.at)}
    if line.name == "rates":
        missing = _("No rate on its last day: %(names)s") % {"names": names}
        return missing if names else _("The rates of its last day are still to come.")
    return _revaluation(line, names) if line.name == "revaluation" else _ledger(line, check)


def _revaluation(line: Line, names: str) -> str:
    if line.at is None:
        return _("Not yet: %(names)s") % {"names": names}
    text = ngettext(
        "%(count)d entry was booked since %(at)s",
        "%(count)d entries were booked since %(at)s",
        line.count,
    )
    return text % {"count": line.count, "at": _moment(line.at)}


def _ledger(line: Line, check: CheckRow) -> str:
    if check.state == "running":
        return _("Checking: %(done)d of %(total)d steps") % {
            "done": check.done,
            "total": check.total,
        }
    if check.state == "waiting":
        return _("The check waits for a worker")
    if line.count:
        text = ngettext(
            "%(count)d finding is open; operators see it under Findings",
            "%(count)d findings are open; operators see them under Findings",
            line.count,
        )
        return text % {"count": line.count}
    return _("Not since the month ended. It is each day from 4:00 UTC on.")


def _moment(at: datetime | None) -> str:
    if at is None:
        return ""
    local = timezone.localtime(at)
    return f"{formats.date_format(local, 'SHORT_DATETIME_FORMAT')} {local.tzname()}"


def _name(month: date) -> str:
    return formats.date_format(month, "F Y")
