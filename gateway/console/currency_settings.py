"""The currency of an organization, which changes until there is money."""

from django import forms
from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.functional import lazy
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from billing.selectors.accounts import has_money
from billing.services.accounts import change_currency
from core.clock import now
from core.errors import AppError
from gateway.console.start import currency_choices
from gateway.selectors.quotes import has_open_quotes
from orgs.console.administration.settings import tabs_of
from orgs.console.failures import AdministrationView, add_failure
from orgs.permissions import Permission


class CurrencyForm(forms.Form):
    """One of all currencies."""

    currency = forms.ChoiceField(
        label=gettext_lazy("Currency"),
        choices=lazy(currency_choices, list),
        help_text=gettext_lazy(
            "Your balance, your budgets and every price are in it. It is fixed once there was"
            " money."
        ),
    )


class CurrencySettingsView(AdministrationView):
    """Changes the currency, or says that it stays."""

    permission = Permission.MANAGE_SETTINGS

    def get(self, request: HttpRequest) -> HttpResponse:
        """Show the present currency."""
        return self._page(request, CurrencyForm(initial={"currency": self.organization.currency}))

    def post(self, request: HttpRequest) -> HttpResponse:
        """Change it, if nothing was ever paid, held, quoted or budgeted in it."""
        form = CurrencyForm(request.POST)
        if form.is_valid():
            own = self.organization.id
            try:
                change_currency(
                    organization_id=own,
                    currency=form.cleaned_data["currency"],
                    has_quotes=has_open_quotes(organization_id=own, now=now()),
                    actor=self.actor,
                )
            except AppError as error:
                add_failure(form, error)
            else:
                messages.success(request, _("The currency is set."))
                return redirect("currency_settings", organization_id=own)
        return self._page(request, form)

    def _page(self, request: HttpRequest, form: CurrencyForm) -> HttpResponse:
        context = {
            "form": form,
            "is_fixed": has_money(organization_id=self.organization.id),
            "currency": self.organization.currency,
            "tabs": tabs_of(self),
        }
        return render(request, "console/settings/currency.html", context)
