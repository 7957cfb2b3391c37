"""What providers are owed, their files, and where a file differs from our books."""

from datetime import UTC
from typing import Any, Final
from uuid import UUID

from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from billing.console.finance.topups import FinanceView
from billing.selectors.reconciliation.files import (
    find_file,
    list_differences,
    list_files,
    list_payments,
    list_waivers,
    sum_payments,
)
from billing.services.reconciliation.importing import ProviderFile, withdraw_import
from billing.services.reconciliation.reading import NAMES, NEEDED, Sheet, read_file
from core.clock import now
from core.errors import AppError
from gateway.console.finance.reconciliation.forms import CURRENCY, FileForm
from gateway.console.finance.reconciliation.words import FAULTS, KINDS, STATES, UNITS
from gateway.selectors.reports.owed import sum_costs
from gateway.services.periods.importing import import_provider_file
from orgs.console.failures import add_failure, toast_failure

SHOWN: Final = 50
ERRORS_SHOWN: Final = 100
EXAMPLE: Final = """\
date,model,quantity,amount,currency,request_id
2026-10-01,fal-ai/flux-pro/v1.1,1,0.040,USD,764cabcf-b745-4b3e-ae38-1200304cf45b
2026-10-01,fal-ai/flux/dev,2,0.050,USD,
"""


class ReconciliationView(FinanceView):
    """What each provider is owed, imported files, payments and waivers."""

    def get(self, request: HttpRequest) -> HttpResponse:
        """Show them."""
        costs, paid = sum_costs(), sum_payments()
        context = {
            "currency": CURRENCY,
            "owed": [
                (name or _("Without a provider"), costs.get(name, 0), paid.get(name, 0),
                 costs.get(name, 0) - paid.get(name, 0))
                for name in sorted(costs.keys() | paid.keys())
            ],
            "files": list_files(limit=SHOWN),
            "payments": list_payments(limit=SHOWN),
            "waivers": list_waivers(),
        }  # fmt: skip
        return render(request, "console/finance/reconciliation/page.html", context)


class ImportFileView(FinanceView):
    """Takes a provider's file."""

    def get(self, request: HttpRequest) -> HttpResponse:
        """Show the form."""
        return self.page(FileForm())

    def post(self, request: HttpRequest) -> HttpResponse:
        """Import it, or say what is wrong; then nothing is written."""
        form = FileForm(request.POST, request.FILES)
        if not form.is_valid():
            return self.page(form)
        fields = form.cleaned_data
        name, text = fields["file"]
        days = {"first": fields["first"], "last": fields["last"]}
        today = now().astimezone(UTC).date()
        last = min(fields["last"] or today, today)
        sheet = read_file(text, columns=form.columns, first=fields["first"], last=last)
        if sheet.errors:
            return self.page(form, sheet)
        file = ProviderFile(fields["provider"], name, text, fields["unit"], sheet, **days)
        try:
            import_id = import_provider_file(file=file, actor=self.actor, now=now())
        except AppError as error:
            add_failure(form, error)
            return self.page(form)
        words = ngettext("%(n)d line imported.", "%(n)d lines imported.", len(sheet.charges))
        messages.success(request, words % {"n": len(sheet.charges)})
        return redirect("finance_reconciliation_file", import_id=import_id)

    def page(self, form: FileForm, sheet: Sheet | None = None) -> HttpResponse:
        """Draw the form with what was wrong."""
        errors = [] if sheet is None else sheet.errors
        context = {
            "form": form,
            "errors": [(one, FAULTS[one.fault]) for one in errors[:ERRORS_SHOWN]],
            "more": max(len(errors) - ERRORS_SHOWN, 0),
            "columns": [(name, usual, name in NEEDED) for name, usual in NAMES.items()],
            "example": [("CSV", EXAMPLE)],
        }
        return render(self.request, "console/finance/reconciliation/import.html", context)


class FileView(FinanceView):
    """One file and its differences."""

    def get(self, request: HttpRequest, import_id: UUID) -> HttpResponse:
        """Show them.

        Raises:
            Http404: There is no such file.
        """
        file = find_file(import_id)
        if file is None:
            raise Http404
        show = request.GET.get("show", "")
        rows = list_differences(import_id)
        shown = [row for row in rows if row.status == show or show not in STATES]
        context: dict[str, Any] = {
            "file": file,
            "unit": UNITS[file.unit],
            "currency": CURRENCY,
            "rows": [(row, KINDS[row.kind][0], *STATES[row.status]) for row in shown[:500]],
            "more": max(len(shown) - 500, 0),
            "states": [(name, word) for name, (_icon, word) in STATES.items()],
            "show": show if show in STATES else "",
            "micros": sum(row.micros for row in rows),
            "is_withdrawable": not any(row.status in {"proposed", "accepted"} for row in rows),
        }
        return render(request, "console/finance/reconciliation/file.html", context)

    def post(self, request: HttpRequest, import_id: UUID) -> HttpResponse:
        """Withdraw it."""
        try:
            withdraw_import(import_id=import_id, actor=self.actor)
        except AppError as error:
            toast_failure(request, error)
            return redirect("finance_reconciliation_file", import_id=import_id)
        messages.success(request, _("The file is withdrawn."))
        return redirect("finance_reconciliation")
