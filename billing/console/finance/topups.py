"""All payments, what waits for a second person, and money that fits no payment."""

from typing import Any, Final
from uuid import UUID

from django import forms
from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from billing.console.fields import AmountField
from billing.console.payments.pages import moment_of, row_of
from billing.console.payments.words import REASONS
from billing.console.taxes.words import row_of_invoice
from billing.currencies import MINOR_DIGITS
from billing.selectors.payments import (
    find_payment,
    find_unmatched,
    get_history,
    list_payments,
    list_to_approve,
    list_unmatched,
)
from billing.selectors.taxes.invoices import list_of_payment
from billing.services.payments.transfers import (
    Transfer,
    approve_payment,
    record_transfer,
    reject_payment,
)
from billing.services.payments.unmatched import assign_unmatched, dismiss_unmatched
from core.clock import now
from core.errors import AppError, Category
from orgs.console.access import StaffView
from orgs.console.failures import add_failure, toast_failure
from orgs.console.widgets import OrganizationField
from orgs.errors import OrganizationNotFoundError
from orgs.selectors.organizations import get_organization

PAGE: Final = 50
MOST_WAITING: Final = 100
SHOWN: Final = ("pending", "succeeded", "failed", "transfer", "automatic", "disputed")


class FinanceView(StaffView):
    """A page of finance; what is not there is 404."""

    staff_roles = frozenset({"finance"})

    def dispatch(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:  # noqa: ANN401
        """Serve, and translate what no form or toast shows.

        Raises:
            Http404: There is no such thing.
        """
        try:
            return super().dispatch(request, *args, **kwargs)
        except AppError as error:
            if error.category in (Category.NOT_FOUND, Category.PERMISSION):
                raise Http404 from error
            raise


class TopUpsView(FinanceView):
    """What waits, and every payment of every organization."""

    def get(self, request: HttpRequest) -> HttpResponse:
        """Show a page of payments, newest first."""
        show = request.GET.get("show", "")
        before = moment_of(request.GET.get("cursor", ""))
        page = list_payments(limit=PAGE, before=before, show=show if show in SHOWN else "")
        waiting = list_to_approve(limit=MOST_WAITING)
        context = {
            "rows": [row_of(payment) for payment in page.payments],
            "show": show,
            "is_first_page": before is None,
            "next_cursor": page.payments[-1].created_at.isoformat() if page.more else None,
            "waiting": [row_of(payment) for payment in waiting],
            "unmatched": [
                {"row": row, "reason": REASONS.get(row.reason, row.reason)}
                for row in list_unmatched(limit=MOST_WAITING)
            ],
        }
        return render(request, "console/finance/topups.html", context)


class TopUpView(FinanceView):
    """One payment; what waits for a second person is approved or turned down here."""

    def get(self, request: HttpRequest, payment_id: UUID) -> HttpResponse:
        """Show it."""
        payment = find_payment(payment_id=payment_id)
        if payment is None:
            raise Http404
        is_waiting = payment.is_pending and payment.kind in {"transfer", "assigned"}
        context = {
            **row_of(payment),
            "history": get_history(payment_id),
            "invoices": [row_of_invoice(one) for one in list_of_payment(payment_id=payment_id)],
            "is_waiting": is_waiting,
            "is_own": payment.requested_by_id == self.user.id,
        }
        return render(request, "console/finance/topup.html", context)

    def post(self, request: HttpRequest, payment_id: UUID) -> HttpResponse:
        """Approve it, or turn it down."""
        try:
            if "approve" in request.POST:
                approve_payment(payment_id=payment_id, actor=self.actor, now=now())
                messages.success(request, _("The payment is credited."))
            else:
                reject_payment(
                    payment_id=payment_id,
                    reason=request.POST.get("reason", ""),
                    actor=self.actor,
                    now=now(),
                )
                messages.success(request, _("The payment was turned down."))
        except AppError as error:
            toast_failure(request, error)
        return redirect("finance_topup", payment_id=payment_id)


class TransferForm(forms.Form):
    """What the bank says of a transfer."""

    organization = OrganizationField()
    currency = forms.ChoiceField(
        label=gettext_lazy("Currency"), choices=[(code, code) for code in sorted(MINOR_DIGITS)]
    )
    reference = forms.CharField(
        label=gettext_lazy("Reference"),
        max_length=255,
        help_text=gettext_lazy("What the bank calls the transfer. It can be recorded once."),
    )
    received_on = forms.DateField(
        label=gettext_lazy("Received on"), widget=forms.DateInput(attrs={"type": "date"})
    )
    note = forms.CharField(label=gettext_lazy("Note"), max_length=500, required=False)
    field_order = ("organization", "currency", "amount", "reference", "received_on", "note")

    def __init__(self, *args: Any, **options: Any) -> None:  # noqa: ANN401 - a form's own
        super().__init__(*args, **options)
        currency = str(self.data.get("currency") or "USD")
        known = currency if currency in MINOR_DIGITS else "USD"
        self.fields["amount"] = AmountField(
            currency=known,
            label=gettext_lazy("Amount"),
            help_text=gettext_lazy("What came to the bank, with tax; it is parted by itself."),
        )
        self.order_fields(self.field_order)


class RecordTransferView(FinanceView):
    """Records a bank transfer, for another person to approve."""

    def get(self, request: HttpRequest) -> HttpResponse:
        """Show the form."""
        initial = {"received_on": now().date(), "currency": "USD"}
        return render(
            request, "console/finance/transfer.html", {"form": TransferForm(initial=initial)}
        )

    def post(self, request: HttpRequest) -> HttpResponse:
        """Record it."""
        form = TransferForm(request.POST)
        if form.is_valid():
            fields = form.cleaned_data
            try:
                payment = record_transfer(
                    organization_id=fields["organization"],
                    transfer=Transfer(
                        amount_micros=fields["amount"],
                        currency=fields["currency"],
                        reference=fields["reference"],
                        received_on=fields["received_on"],
                        note=fields["note"],
                    ),
                    actor=self.actor,
                    now=now(),
                )
            except OrganizationNotFoundError:
                form.add_error("organization", _("There is no such organization."))
            except AppError as error:
                add_failure(form, error)
            else:
                messages.success(request, _("Recorded. Another person of finance approves it."))
                return redirect("finance_topup", payment_id=payment.id)
        return render(request, "console/finance/transfer.html", {"form": form})


class ResolveForm(forms.Form):
    """What becomes of unmatched money."""

    organization = OrganizationField(
        label=gettext_lazy("Assign to the organization"),
        required=False,
        help_text=gettext_lazy(
            "Its name or id. Another person of finance approves. Empty: the money was paid back"
            " otherwise."
        ),
    )
    note = forms.CharField(
        label=gettext_lazy("Why"),
        max_length=500,
        help_text=gettext_lazy("How you know, or how it went back. It is logged."),
    )


class UnmatchedView(FinanceView):
    """Money that fits no payment, and what becomes of it."""

    def get(self, request: HttpRequest, reference: str) -> HttpResponse:
        """Show it."""
        return self._page(request, reference, ResolveForm())

    def post(self, request: HttpRequest, reference: str) -> HttpResponse:
        """Ask to assign it, or note that it was paid back."""
        form = ResolveForm(request.POST)
        if form.is_valid():
            try:
                return self._resolve(request, reference, form.cleaned_data)
            except OrganizationNotFoundError:
                form.add_error("organization", _("There is no such organization."))
            except AppError as error:
                add_failure(form, error)
        return self._page(request, reference, form)

    def _resolve(
        self, request: HttpRequest, reference: str, fields: dict[str, Any]
    ) -> HttpResponse:
        how: dict[str, Any] = {"note": fields["note"], "actor": self.actor, "now": now()}
        if fields["organization"] is None:
            dismiss_unmatched(reference=reference, **how)
            messages.success(request, _("Resolved: paid back."))
            return redirect("finance_topups")
        organization = get_organization(organization_id=fields["organization"])
        payment = assign_unmatched(reference=reference, organization_id=organization.id, **how)
        messages.success(request, _("Recorded. Another person of finance approves it."))
        return redirect("finance_topup", payment_id=payment.id)

    def _page(self, request: HttpRequest, reference: str, form: ResolveForm) -> HttpResponse:
        row = find_unmatched(reference=reference)
        if row is None:
            raise Http404
        context = {"row": row, "reason": REASONS.get(row.reason, row.reason), "form": form}
        return render(request, "console/finance/unmatched.html", context)
