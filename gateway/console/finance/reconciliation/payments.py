"""Recording payments to providers, and waiving a provider's month."""

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _

from billing.console.finance.topups import FinanceView
from billing.services.reconciliation.importing import waive_month
from billing.services.reconciliation.paying import Paid, record_provider_payment
from core.clock import now
from core.errors import AppError
from gateway.console.finance.reconciliation.forms import PaymentForm, WaiverForm
from orgs.console.failures import add_failure


class RecordPaymentView(FinanceView):
    """Records a payment to a provider."""

    def get(self, request: HttpRequest) -> HttpResponse:
        """Show the form."""
        form = PaymentForm(initial={"paid_on": now().date()})
        return render(request, "console/finance/reconciliation/payment.html", {"form": form})

    def post(self, request: HttpRequest) -> HttpResponse:
        """Record it."""
        form = PaymentForm(request.POST)
        if form.is_valid():
            fields = form.cleaned_data
            paid = Paid(
                fields["provider"], fields["amount"], fields["bank_reference"], fields["paid_on"]
            )
            try:
                record_provider_payment(paid=paid, actor=self.actor, now=now())
            except AppError as error:
                add_failure(form, error)
            else:
                messages.success(request, _("The payment is booked."))
                return redirect("finance_reconciliation")
        return render(request, "console/finance/reconciliation/payment.html", {"form": form})


class WaiverView(FinanceView):
    """Says that a provider's month need not be reconciled."""

    def get(self, request: HttpRequest) -> HttpResponse:
        """Show the form."""
        form = WaiverForm(initial={"provider": request.GET.get("provider", "")})
        return render(request, "console/finance/reconciliation/waiver.html", {"form": form})

    def post(self, request: HttpRequest) -> HttpResponse:
        """Waive it."""
        form = WaiverForm(request.POST)
        if form.is_valid():
            try:
                waive_month(**form.cleaned_data, actor=self.actor, now=now())
            except AppError as error:
                add_failure(form, error)
            else:
                messages.success(request, _("The month is waived."))
                return redirect("finance_reconciliation")
        return render(request, "console/finance/reconciliation/waiver.html", {"form": form})
