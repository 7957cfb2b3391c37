"""Taxes: the rates of countries, and how an organization is taxed."""

from decimal import Decimal
from typing import Any, Final
from uuid import UUID

from django import forms
from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from billing.console.fields import NumberField
from billing.console.finance.topups import FinanceView
from billing.console.taxes.words import TREATMENTS, tax_of
from billing.selectors.taxes.listing import list_profiles, list_tax_rates, list_treated
from billing.selectors.taxes.terms import find_terms
from billing.services.taxes.profiles import set_tax_treatment
from billing.services.taxes.rates import NewTaxRate, set_tax_rate
from core.clock import now
from core.errors import AppError
from orgs.console.failures import add_failure
from orgs.console.widgets import OrganizationField
from orgs.selectors.organizations import get_organization

MOST_TREATED: Final = 200


class FindForm(forms.Form):
    """Which organization."""

    organization = OrganizationField()


class TaxesView(FinanceView):
    """Every rate, and organizations that are taxed otherwise."""

    def get(self, request: HttpRequest) -> HttpResponse:
        """Show them, or lead to the organization that was asked for."""
        form = FindForm(request.GET if "organization" in request.GET else None)
        if form.is_bound and form.is_valid():
            wanted = form.cleaned_data["organization"]
            return redirect("finance_tax_profile", organization_id=wanted)
        context = {
            "form": form,
            "rates": list_tax_rates(now=now()),
            "treated": [
                (row, TREATMENTS[row.treatment]) for row in list_treated(limit=MOST_TREATED)
            ],
        }
        return render(request, "console/finance/taxes.html", context)


class TaxRateForm(forms.Form):
    """A country's tax."""

    country = forms.RegexField(
        r"^[A-Za-z]{2}$",
        label=gettext_lazy("Country"),
        help_text=gettext_lazy("Two letters, such as MX."),
        error_messages={"invalid": gettext_lazy("Give the country as two letters, such as MX.")},
    )
    name = forms.CharField(
        label=gettext_lazy("Name of the tax"),
        max_length=32,
        help_text=gettext_lazy("As invoices call it, such as IVA or VAT."),
    )
    percent = NumberField(
        label=gettext_lazy("Percent"),
        min_value=Decimal(0),
        max_value=Decimal("99.9999"),
        max_digits=6,
        decimal_places=4,
        widget=forms.TextInput(attrs={"inputmode": "decimal", "autocomplete": "off"}),
        help_text=gettext_lazy("0 ends the tax of the country."),
    )
    active_from = forms.DateTimeField(
        label=gettext_lazy("From"),
        required=False,
        widget=forms.DateTimeInput(attrs={"type": "datetime-local"}, format="%Y-%m-%dT%H:%M"),
        help_text=gettext_lazy("In UTC. Empty: from now on."),
    )


class NewTaxRateView(FinanceView):
    """Sets a country's tax."""

    def get(self, request: HttpRequest) -> HttpResponse:
        """Show the form."""
        initial = {name: request.GET.get(name, "") for name in ("country", "name")}
        return self._page(request, TaxRateForm(initial=initial))

    def post(self, request: HttpRequest) -> HttpResponse:
        """Save it."""
        form = TaxRateForm(request.POST)
        if form.is_valid():
            fields = form.cleaned_data
            terms = NewTaxRate(
                fields["country"], fields["name"], fields["percent"] / 100, fields["active_from"]
            )
            try:
                set_tax_rate(terms=terms, actor=self.actor, now=now())
            except AppError as error:
                add_failure(form, error)
            else:
                messages.success(request, _("The tax is set. Payments that exist keep theirs."))
                return redirect("finance_taxes")
        return self._page(request, form)

    def _page(self, request: HttpRequest, form: TaxRateForm) -> HttpResponse:
        return render(request, "console/finance/tax_rate.html", {"form": form})


class TreatmentForm(forms.Form):
    """How an organization is taxed."""

    treatment = forms.ChoiceField(
        label=gettext_lazy("Treatment"), choices=[(code, word) for code, word in TREATMENTS.items()]
    )
    reason = forms.CharField(
        label=gettext_lazy("Reason"),
        required=False,
        max_length=255,
        help_text=gettext_lazy(
            "Of an exemption it stands on invoices: the rule, or the number of the certificate."
        ),
    )

    def clean(self) -> dict[str, Any]:
        """Refuse an exemption without a reason."""
        found: dict[str, Any] = super().clean() or self.cleaned_data
        if found.get("treatment") == "exempt" and not found.get("reason"):
            self.add_error("reason", _("Say why it is exempt."))
        return found


class TaxProfileView(FinanceView):
    """How one organization is taxed, and was."""

    def get(self, request: HttpRequest, organization_id: UUID) -> HttpResponse:
        """Show it."""
        return self._page(request, organization_id, None)

    def post(self, request: HttpRequest, organization_id: UUID) -> HttpResponse:
        """Change the treatment."""
        form = TreatmentForm(request.POST)
        if form.is_valid():
            try:
                set_tax_treatment(
                    organization_id=organization_id,
                    treatment=form.cleaned_data["treatment"],
                    reason=form.cleaned_data["reason"],
                    actor=self.actor,
                    now=now(),
                )
            except AppError as error:
                add_failure(form, error)
            else:
                messages.success(request, _("Saved. It holds for payments from now on."))
                return redirect("finance_tax_profile", organization_id=organization_id)
        return self._page(request, organization_id, form)

    def _page(
        self, request: HttpRequest, organization_id: UUID, form: TreatmentForm | None
    ) -> HttpResponse:
        organization = get_organization(organization_id=organization_id)
        said = list_profiles(organization_id=organization_id)
        initial = {"treatment": said[0].treatment, "reason": said[0].reason} if said else None
        context = {
            "organization": organization,
            "tax": tax_of(find_terms(organization, at=now())),
            "said": [(row, TREATMENTS[row.treatment]) for row in said],
            "form": form or TreatmentForm(initial=initial),
        }
        return render(request, "console/finance/tax_profile.html", context)
