"""Promotional credit: what was given, what waits for a second person, and asking for more."""

from collections.abc import Mapping
from typing import Any, Final
from uuid import UUID

from django import forms
from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, pgettext_lazy

from billing.console.fields import AmountField
from billing.console.finance.topups import FinanceView
from billing.console.payments.pages import moment_of
from billing.currencies import MINOR_DIGITS
from billing.selectors.credits.grants import (
    GrantView,
    find_grant,
    list_grants,
    list_grants_to_approve,
)
from billing.services.credits.granting import (
    GrantTerms,
    approve_grant,
    reject_grant,
    request_grant,
)
from core.clock import now
from core.errors import AppError
from orgs.console.failures import add_failure, toast_failure
from orgs.console.widgets import OrganizationField
from orgs.errors import OrganizationNotFoundError

PAGE: Final = 50
MOST_WAITING: Final = 100
# Icon and color of `{% state %}`, and the word.
STATES: Final[Mapping[str, tuple[str, Promise]]] = {
    "pending": ("waiting", pgettext_lazy("grant", "Waiting")),
    "current": ("ok", pgettext_lazy("grant", "To spend")),
    "spent": ("ok", pgettext_lazy("grant", "Spent")),
    "expired": ("off", pgettext_lazy("grant", "Expired")),
    "rejected": ("off", pgettext_lazy("grant", "Turned down")),
    "withdrawn": ("off", pgettext_lazy("grant", "Taken back")),
}


class GrantsView(FinanceView):
    """What waits, and every grant of every organization."""

    def get(self, request: HttpRequest) -> HttpResponse:
        """Show a page of grants, newest first."""
        before = moment_of(request.GET.get("cursor", ""))
        page = list_grants(limit=PAGE, before=before)
        context = {
            "rows": [_row(grant) for grant in page.grants],
            "is_first_page": before is None,
            "next_cursor": page.grants[-1].created_at.isoformat() if page.more else None,
            "waiting": list_grants_to_approve(limit=MOST_WAITING),
        }
        return render(request, "console/finance/grants.html", context)


class GrantDetailView(FinanceView):
    """One grant; what waits for a second person is approved or turned down here."""

    def get(self, request: HttpRequest, grant_id: UUID) -> HttpResponse:
        """Show it."""
        grant = find_grant(grant_id=grant_id)
        if grant is None:
            raise Http404
        context = {**_row(grant), "is_own": grant.requested_by_id == self.user.id}
        return render(request, "console/finance/grant.html", context)

    def post(self, request: HttpRequest, grant_id: UUID) -> HttpResponse:
        """Approve it, or turn it down."""
        try:
            if "approve" in request.POST:
                approve_grant(grant_id=grant_id, actor=self.actor, now=now())
                messages.success(request, _("The credit is given."))
            else:
                reject_grant(grant_id=grant_id, actor=self.actor, now=now())
                messages.success(request, _("The credit was turned down."))
        except AppError as error:
            toast_failure(request, error)
        return redirect("finance_grant", grant_id=grant_id)


class GrantForm(forms.Form):
    """How much is given to whom, until when, and why."""

    organization = OrganizationField()
    currency = forms.ChoiceField(
        label=gettext_lazy("Currency"), choices=[(code, code) for code in sorted(MINOR_DIGITS)]
    )
    expires_at = forms.DateTimeField(
        label=gettext_lazy("Expires"),
        widget=forms.DateTimeInput(attrs={"type": "datetime-local"}, format="%Y-%m-%dT%H:%M"),
        help_text=gettext_lazy("In UTC. What is not spent by then is taken back."),
    )
    reason = forms.CharField(
        label=gettext_lazy("Reason"),
        max_length=500,
        help_text=gettext_lazy("For finance and the audit log."),
    )
    field_order = ("organization", "currency", "amount", "expires_at", "reason")

    def __init__(self, *args: Any, **options: Any) -> None:  # noqa: ANN401 - a form's own
        super().__init__(*args, **options)
        currency = str(self.data.get("currency") or "USD")
        known = currency if currency in MINOR_DIGITS else "USD"
        self.fields["amount"] = AmountField(currency=known, label=gettext_lazy("Amount"))
        self.order_fields(self.field_order)


class NewGrantView(FinanceView):
    """Asks for promotional credit, for another person to approve."""

    def get(self, request: HttpRequest) -> HttpResponse:
        """Show the form."""
        form = GrantForm(initial={"currency": "USD"})
        return render(request, "console/finance/grant_new.html", {"form": form})

    def post(self, request: HttpRequest) -> HttpResponse:
        """Ask for it."""
        form = GrantForm(request.POST)
        if form.is_valid():
            fields = form.cleaned_data
            try:
                grant = request_grant(
                    organization_id=fields["organization"],
                    terms=GrantTerms(
                        amount_micros=fields["amount"],
                        currency=fields["currency"],
                        expires_at=fields["expires_at"],
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
                messages.success(request, _("Recorded. Another person of finance approves it."))
                return redirect("finance_grant", grant_id=grant.id)
        return render(request, "console/finance/grant_new.html", {"form": form})


def _row(grant: GrantView) -> dict[str, Any]:
    state = grant.status
    if grant.is_withdrawn:
        state = "withdrawn"
    elif state == "granted":
        state = _fate(grant)
    icon, word = STATES[state]
    return {"grant": grant, "icon": icon, "word": word}


def _fate(grant: GrantView) -> str:
    if grant.expires_at > now() and grant.captured_micros < grant.amount_micros:
        return "current"
    return "expired" if grant.captured_micros < grant.amount_micros else "spent"
