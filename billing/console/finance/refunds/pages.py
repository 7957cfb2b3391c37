"""Refunds of images: found by request id, asked for by one person of finance, decided by another.

Neither prompts nor images are read here; a charge names its images by their ids alone.
"""

from typing import Any, Final
from uuid import UUID

from django import forms
from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from billing.console.finance.refunds.words import row_of
from billing.console.finance.topups import FinanceView
from billing.console.payments.pages import moment_of
from billing.selectors.refunds.charges import Charge, find_charge
from billing.selectors.refunds.requests import (
    find_refund,
    list_decided_requests,
    list_waiting_requests,
)
from billing.services.refunds.approving import approve_refund
from billing.services.refunds.asking import ask_refund, decline_refund
from billing.services.refunds.decisions import REASON_LENGTH
from core.clock import now
from core.errors import AppError
from core.ids import parse_request_id, request_id
from orgs.console.failures import add_failure, toast_failure
from orgs.console.widgets import Checks

PAGE: Final = 50


class RefundsView(FinanceView):
    """What waits for a second person, what was decided, and the search for a request."""

    def get(self, request: HttpRequest) -> HttpResponse:
        """Show them, or lead to the request that was searched for."""
        wanted = request.GET.get("request", "").strip()
        if wanted:
            found = parse_request_id(wanted) or _uuid(wanted)
            if found is not None and find_charge(reference=str(found)) is not None:
                return redirect("finance_refund_ask", generation_id=found)
            messages.error(request, _("No request of this id was charged anything."))
        before = moment_of(request.GET.get("cursor", ""))
        decided = list_decided_requests(limit=PAGE + 1, before=before)
        more = len(decided) > PAGE
        context = {
            "wanted": wanted,
            "waiting": [row_of(one) for one in list_waiting_requests()],
            "rows": [row_of(one) for one in decided[:PAGE]],
            "is_first_page": before is None,
            "next_cursor": decided[PAGE - 1].created_at.isoformat() if more else None,
        }
        return render(request, "console/finance/refunds/list.html", context)


class AskForm(forms.Form):
    """Which images, and why."""

    images = forms.MultipleChoiceField(
        label=gettext_lazy("Images to refund"),
        widget=Checks(label=gettext_lazy("Images to refund")),
    )
    reason = forms.CharField(
        label=gettext_lazy("Reason"),
        max_length=REASON_LENGTH,
        help_text=gettext_lazy("The organization reads it on the credit note."),
    )

    def __init__(self, *args: Any, charge: Charge, **options: Any) -> None:  # noqa: ANN401 - a form's own
        super().__init__(*args, **options)
        field = self.fields["images"]
        assert isinstance(field, forms.MultipleChoiceField)  # noqa: S101 - as declared
        field.choices = [
            (one.artifact, _("Image %(number)d") % {"number": one.position})
            for one in charge.refundable
        ]
        field.initial = [one.artifact for one in charge.refundable]


class AskRefundView(FinanceView):
    """One charge, image by image, and the form to ask for a refund of some or all."""

    def get(self, request: HttpRequest, generation_id: UUID) -> HttpResponse:
        """Show it."""
        charge = self.charge(generation_id)
        return self.page(request, charge, AskForm(charge=charge))

    def post(self, request: HttpRequest, generation_id: UUID) -> HttpResponse:
        """Ask."""
        charge = self.charge(generation_id)
        form = AskForm(request.POST, charge=charge)
        if form.is_valid():
            try:
                refund = ask_refund(
                    reference=charge.reference,
                    artifacts=form.cleaned_data["images"],
                    reason=form.cleaned_data["reason"],
                    actor=self.actor,
                    now=now(),
                )
            except AppError as error:
                add_failure(form, error)
            else:
                messages.success(request, _("Asked for. Another person of finance approves it."))
                return redirect("finance_refund", refund_id=refund.id)
        return self.page(request, charge, form)

    def charge(self, generation_id: UUID) -> Charge:
        """Return what the request was charged.

        Raises:
            Http404: It was charged nothing.
        """
        charge = find_charge(reference=str(generation_id))
        if charge is None:
            raise Http404
        return charge

    def page(self, request: HttpRequest, charge: Charge, form: AskForm) -> HttpResponse:
        """Draw it."""
        context = {
            "charge": charge,
            "request_id": request_id(UUID(charge.reference)),
            "form": form,
        }
        return render(request, "console/finance/refunds/ask.html", context)


class RefundView(FinanceView):
    """One refund; what waits is approved or turned down here."""

    def get(self, request: HttpRequest, refund_id: UUID) -> HttpResponse:
        """Show it."""
        found = find_refund(refund_id=refund_id)
        if found is None:
            raise Http404
        context = {**row_of(found), "is_own": found.requested_by_id == self.user.id}
        return render(request, "console/finance/refunds/refund.html", context)

    def post(self, request: HttpRequest, refund_id: UUID) -> HttpResponse:
        """Approve it, or turn it down."""
        try:
            if "approve" in request.POST:
                note = approve_refund(refund_id=refund_id, actor=self.actor, now=now())
                text = _("Refunded. Credit note no. %(number)d is issued.")
                messages.success(request, text % {"number": note.number})
            else:
                decline_refund(
                    refund_id=refund_id,
                    note=request.POST.get("reason", ""),
                    actor=self.actor,
                    now=now(),
                )
                messages.success(request, _("The refund was turned down."))
        except AppError as error:
            toast_failure(request, error)
        return redirect("finance_refund", refund_id=refund_id)


def _uuid(text: str) -> UUID | None:
    try:
        return UUID(text)
    except ValueError:
        return None
