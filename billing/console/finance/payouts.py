"""Stripe's reports beside our payments, and its payouts."""

from datetime import date
from typing import Any, Final

from django import forms
from django.contrib import messages
from django.core.files.uploadedfile import UploadedFile
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from billing.console.fields import AmountField
from billing.console.finance.topups import FinanceView
from billing.currencies import MINOR_DIGITS
from billing.selectors.reconciliation.files import list_payouts
from billing.services.reconciliation.payouts import PaidOut, record_payout
from billing.services.reconciliation.reading import MOST_BYTES, Fault
from billing.services.reconciliation.stripe_report import (
    Report,
    compare_report,
    read_report,
    sum_payouts,
)
from core.clock import now
from core.errors import AppError
from orgs.console.failures import add_failure

SHOWN: Final = 200
KINDS: Final[dict[str, Promise]] = {
    "twice": gettext_lazy("The same movement is in the file twice"),
    "missing_here": gettext_lazy("Not booked here"),
    "missing_there": gettext_lazy("Booked here, and not in the file"),
    "amount": gettext_lazy("Another amount"),
    "currency": gettext_lazy("Another currency"),
}
FAULTS: Final[dict[Fault, Promise]] = {
    Fault.COLUMN: gettext_lazy("This column is missing."),
    Fault.EMPTY: gettext_lazy("The file has no lines."),
    Fault.TOO_LONG: gettext_lazy("The file has more than 50,000 lines."),
    Fault.CELLS: gettext_lazy("The line has fewer fields than the heading."),
    Fault.DATE: gettext_lazy("This is no date: write it like 2026-10-31."),
    Fault.AMOUNT: gettext_lazy("This is no amount: write it like 0.042."),
}


class ReportForm(forms.Form):
    """One of Stripe's itemized reports."""

    file = forms.FileField(
        label=gettext_lazy("CSV file"),
        widget=forms.FileInput(attrs={"accept": ".csv,text/csv"}),
        help_text=gettext_lazy(
            'Stripe\'s report "Payout reconciliation" or "Balance change from activity", itemized,'
            " with all columns. It is compared, and not kept."
        ),
    )

    def clean_file(self) -> str:
        """Return the text.

        Raises:
            ValidationError: It is too large, or no text.
        """
        file = self.cleaned_data["file"]
        assert isinstance(file, UploadedFile)  # noqa: S101 - of a file field
        if file.size is None or file.size > MOST_BYTES:
            raise forms.ValidationError(_("The file is larger than 5 MB."))
        try:
            text: str = file.read().decode("utf-8-sig")
        except UnicodeDecodeError as error:
            raise forms.ValidationError(_("The file is no text in UTF-8.")) from error
        return text


class PayoutForm(forms.Form):
    """What Stripe and the bank say of a payout."""

    payout_reference = forms.CharField(
        label=gettext_lazy("Payout"),
        max_length=200,
        help_text=gettext_lazy("Its id at Stripe, po_… It can be booked once."),
    )
    currency = forms.ChoiceField(
        label=gettext_lazy("Currency"), choices=[(code, code) for code in sorted(MINOR_DIGITS)]
    )
    arrived_on = forms.DateField(
        label=gettext_lazy("Arrived on"),
        widget=forms.DateInput(attrs={"type": "date"}, format="%Y-%m-%d"),
    )

    def __init__(self, *args: Any, **options: Any) -> None:  # noqa: ANN401 - a form's own
        super().__init__(*args, **options)
        currency = str(self.data.get("currency") or self.initial.get("currency") or "USD")
        known = currency if currency in MINOR_DIGITS else "USD"
        self.fields["gross"] = AmountField(
            currency=known,
            label=gettext_lazy("Before fees"),
            help_text=gettext_lazy("What left the balance at Stripe."),
        )
        self.fields["fee"] = AmountField(
            currency=known, label=gettext_lazy("Of it fees"), help_text=gettext_lazy("0 if none.")
        )
        self.order_fields(("payout_reference", "currency", "gross", "fee", "arrived_on"))


class StripeReportView(FinanceView):
    """Compares a report; nothing is written."""

    def get(self, request: HttpRequest) -> HttpResponse:
        """Show the form and the payouts that are booked."""
        return self.page(ReportForm())

    def post(self, request: HttpRequest) -> HttpResponse:
        """Show what differs, and the payouts of the report."""
        form = ReportForm(request.POST, request.FILES)
        if not form.is_valid():
            return self.page(form)
        return self.page(form, read_report(form.cleaned_data["file"]))

    def page(self, form: ReportForm, report: Report | None = None) -> HttpResponse:
        """Draw it."""
        context: dict[str, Any] = {"form": form, "payouts": list_payouts(limit=SHOWN)}
        if report is not None and report.errors:
            context["errors"] = [(one, FAULTS[one.fault]) for one in report.errors[:SHOWN]]
        elif report is not None:
            found = compare_report(report.movements)
            context |= {
                "is_compared": True,
                "movements": len(report.movements),
                "rows": [(one, KINDS[one.kind]) for one in found[:SHOWN]],
                "more": max(len(found) - SHOWN, 0),
                "sums": sum_payouts(report.movements),
            }
        return render(self.request, "console/finance/reconciliation/stripe.html", context)


class BookPayoutView(FinanceView):
    """Books a payout."""

    def get(self, request: HttpRequest) -> HttpResponse:
        """Show the form, filled in by the address."""
        names = ("payout_reference", "currency", "arrived_on")
        initial: dict[str, Any] = {name: request.GET.get(name, "") for name in names}
        initial |= {name: _whole(request.GET.get(name, "")) for name in ("gross", "fee")}
        return self.page(PayoutForm(initial={**initial, "arrived_on": _day(initial["arrived_on"])}))

    def post(self, request: HttpRequest) -> HttpResponse:
        """Book it."""
        form = PayoutForm(request.POST)
        if form.is_valid():
            fields = form.cleaned_data
            paid = PaidOut(
                fields["payout_reference"],
                fields["currency"],
                fields["gross"],
                fields["fee"],
                fields["arrived_on"],
            )
            try:
                record_payout(paid=paid, actor=self.actor, now=now())
            except AppError as error:
                add_failure(form, error)
            else:
                messages.success(request, _("The payout is booked."))
                return redirect("finance_stripe_report")
        return self.page(form)

    def page(self, form: PayoutForm) -> HttpResponse:
        """Draw the form."""
        return render(self.request, "console/finance/reconciliation/payout.html", {"form": form})


def _whole(text: str) -> int | None:
    return int(text) if text.isdecimal() and text.isascii() else None


def _day(text: str) -> date:
    try:
        return date.fromisoformat(text)
    except ValueError:
        return now().date()
