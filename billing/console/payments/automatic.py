"""The automatic top-up and the saved cards."""

from uuid import UUID

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _

from billing.console.payments.forms import AutoTopUpForm
from billing.console.payments.words import failure_of
from billing.console.taxes.words import tax_of
from billing.errors import PaymentsUnavailableError
from billing.selectors.payments import find_auto_top_up, list_cards
from billing.selectors.taxes.terms import find_terms
from billing.services.payments.automatic import (
    Terms,
    remove_card,
    set_auto_top_up,
    stop_auto_top_up,
)
from billing.services.payments.charges import charged_this_month
from billing.services.payments.stripe_api import is_configured, is_sandbox
from billing.services.taxes.amounts import taxed
from core.clock import now
from core.errors import AppError
from orgs.console.failures import AdministrationView, add_failure
from orgs.permissions import Permission


class AutoTopUpView(AdministrationView):
    """Sets, changes and ends the automatic top-up."""

    permission = Permission.TOP_UP

    def get(self, request: HttpRequest) -> HttpResponse:
        """Show the form with the present terms."""
        terms = find_auto_top_up(organization_id=self.organization.id)
        initial = None
        if terms is not None:
            initial = {
                "threshold": terms.threshold_micros,
                "amount": terms.amount_micros,
                "monthly_cap": terms.monthly_cap_micros,
                "card": str(terms.card_id),
            }
        return self._page(request, self._form(initial=initial))

    def post(self, request: HttpRequest) -> HttpResponse:
        """Save the terms, or switch the automatic top-up off."""
        if "stop" in request.POST:
            stop_auto_top_up(organization_id=self.organization.id, actor=self.actor, now=now())
            messages.success(request, _("The automatic top-up is off."))
            return redirect("auto_top_up", organization_id=self.organization.id)
        form = self._form(request.POST)
        if form.is_valid():
            fields = form.cleaned_data
            try:
                set_auto_top_up(
                    organization_id=self.organization.id,
                    terms=Terms(
                        UUID(fields["card"]),
                        fields["threshold"],
                        fields["amount"],
                        fields["monthly_cap"],
                    ),
                    actor=self.actor,
                    now=now(),
                )
            except AppError as error:
                add_failure(form, error)
            else:
                messages.success(request, _("The automatic top-up is on."))
                return redirect("auto_top_up", organization_id=self.organization.id)
        return self._page(request, form)

    def _form(self, *args: object, initial: dict[str, object] | None = None) -> AutoTopUpForm:
        cards = list_cards(organization_id=self.organization.id)
        names = [(card.id, f"{card.brand.capitalize()} ···· {card.last4}") for card in cards]
        return AutoTopUpForm(
            *args, currency=self.organization.currency, cards=names, initial=initial
        )

    def _page(self, request: HttpRequest, form: AutoTopUpForm) -> HttpResponse:
        terms = find_auto_top_up(organization_id=self.organization.id)
        tax = find_terms(self.organization, at=now())
        context = {
            "form": form,
            "terms": terms,
            "tax": tax_of(tax),
            "each": taxed(terms.amount_micros, self.organization.currency, tax) if terms else None,
            "failure": failure_of(terms.failure_code) if terms and terms.paused_at else "",
            "has_cards": bool(form.fields["card"].choices),  # type: ignore[attr-defined] # a ChoiceField
            "charged_micros": charged_this_month(self.organization, now=now()),
            "currency": self.organization.currency,
            "is_sandbox": is_configured() and is_sandbox(),
        }
        return render(request, "console/payments/automatic.html", context)


class RemoveCardView(AdministrationView):
    """Forgets a card."""

    permission = Permission.TOP_UP
    http_method_names = ("post",)

    def post(self, request: HttpRequest, card_id: UUID) -> HttpResponse:
        """Remove it, here and at Stripe."""
        try:
            remove_card(
                organization_id=self.organization.id, card_id=card_id, actor=self.actor, now=now()
            )
        except PaymentsUnavailableError:
            messages.warning(
                request, _("The card is charged no more, but Stripe could not be told yet.")
            )
        else:
            messages.success(request, _("The card was removed."))
        return redirect("add_money", organization_id=self.organization.id)
