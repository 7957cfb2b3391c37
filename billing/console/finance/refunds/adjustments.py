"""Adjustments of wallets, asked for by one person of finance and decided by another."""

from typing import Any
from uuid import UUID

from django import forms
from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from billing.console.fields import AmountField
from billing.console.finance.refunds.words import row_of
from billing.console.finance.topups import FinanceView
from billing.currencies import MINOR_DIGITS
from billing.selectors.balances import get_balance
from billing.selectors.refunds.requests import find_adjustment
from billing.services.refunds.adjustments import (
    WalletChange,
    approve_adjustment,
    ask_adjustment,
    decline_adjustment,
)
from billing.services.refunds.decisions import REASON_LENGTH
from core.clock import now
from core.errors import AppError
from orgs.console.failures import add_failure, toast_failure
from orgs.console.widgets import OrganizationField
from orgs.errors import OrganizationNotFoundError


class AdjustmentForm(forms.Form):
    """Whose wallet, how much, which way, and why."""

    organization = OrganizationField()
    direction = forms.ChoiceField(
        label=gettext_lazy("What is done"),
        choices=[
            ("credit", gettext_lazy("Credit: the wallet gets it")),
            ("debit", gettext_lazy("Debit: the wallet gives it, at most what is available")),
        ],
    )
    currency = forms.ChoiceField(
        label=gettext_lazy("Currency"), choices=[(code, code) for code in sorted(MINOR_DIGITS)]
    )
    reason = forms.CharField(
        label=gettext_lazy("Reason"),
        max_length=REASON_LENGTH,
        help_text=gettext_lazy("The organization reads it in its transactions."),
    )
    field_order = ("organization", "direction", "currency", "amount", "reason")

    def __init__(self, *args: Any, **options: Any) -> None:  # noqa: ANN401 - a form's own
        super().__init__(*args, **options)
        currency = str(self.data.get("currency") or "USD")
        known = currency if currency in MINOR_DIGITS else "USD"
        self.fields["amount"] = AmountField(currency=known, label=gettext_lazy("Amount"))
        self.order_fields(self.field_order)


class AskAdjustmentView(FinanceView):
    """Asks for an adjustment, for another person to approve."""

    def get(self, request: HttpRequest) -> HttpResponse:
        """Show the form."""
        form = AdjustmentForm(
            initial={
                "currency": "USD",
                "organization": request.GET.get("organization", "")[:36],
            }
        )
        return render(request, "console/finance/refunds/adjust.html", {"form": form})

    def post(self, request: HttpRequest) -> HttpResponse:
        """Ask."""
        form = AdjustmentForm(request.POST)
        if form.is_valid():
            fields = form.cleaned_data
            try:
                adjustment = ask_adjustment(
                    organization_id=fields["organization"],
                    change=WalletChange(
                        direction=fields["direction"],
                        amount_micros=fields["amount"],
                        currency=fields["currency"],
                        reason=fields["reason"],
                    ),
                    actor=self.actor,
                    now=now(),
                )
            except OrganizationNotFoundError:
                form.add_error("organization", _("There is no such organization."))
            except AppError as error:
                add_failure(form, error)
            else:
                messages.success(request, _("Asked for. Another person of finance approves it."))
                return redirect("finance_adjustment", adjustment_id=adjustment.id)
        return render(request, "console/finance/refunds/adjust.html", {"form": form})


class AdjustmentView(FinanceView):
    """One adjustment; what waits is approved or turned down here."""

    def get(self, request: HttpRequest, adjustment_id: UUID) -> HttpResponse:
        """Show it."""
        found = find_adjustment(adjustment_id=adjustment_id)
        if found is None:
            raise Http404
        context = {
            **row_of(found),
            "is_own": found.requested_by_id == self.user.id,
            "balance": get_balance(organization_id=found.organization_id),
        }
        return render(request, "console/finance/refunds/adjustment.html", context)

    def post(self, request: HttpRequest, adjustment_id: UUID) -> HttpResponse:
        """Approve it, or turn it down."""
        try:
            if "approve" in request.POST:
                approve_adjustment(adjustment_id=adjustment_id, actor=self.actor, now=now())
                messages.success(request, _("The wallet is adjusted."))
            else:
                decline_adjustment(
                    adjustment_id=adjustment_id,
                    note=request.POST.get("reason", ""),
                    actor=self.actor,
                    now=now(),
                )
                messages.success(request, _("The adjustment was turned down."))
        except AppError as error:
            toast_failure(request, error)
        return redirect("finance_adjustment", adjustment_id=adjustment_id)
