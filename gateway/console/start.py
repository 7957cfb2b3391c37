"""The wizard of a new organization: its name and money, its first key, its first image."""

from zoneinfo import available_timezones

from django import forms
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils.functional import lazy
from django.utils.translation import get_language
from django.utils.translation import gettext_lazy as _

from billing.currencies import MINOR_DIGITS
from core.errors import AppError
from gateway.console.examples import generation_examples
from gateway.services.onboarding import found_organization
from orgs.console.access import LAST_ORGANIZATION, SignedInView

COMMON_CURRENCIES = ("MXN", "USD", "EUR", "COP", "ARS", "CLP", "PEN", "BRL", "GBP")
FIRST_CURRENCY = "MXN"
FIRST_TIME_ZONE = "America/Mexico_City"


def currency_choices() -> list[tuple[str, object]]:
    """Return the common currencies first, then all."""
    rest = [code for code in sorted(MINOR_DIGITS) if code not in COMMON_CURRENCIES]
    return [
        (str(_("Common")), [(code, code) for code in COMMON_CURRENCIES]),
        (str(_("All")), [(code, code) for code in rest]),
    ]


class OrganizationForm(forms.Form):
    """What an organization needs to begin."""

    name = forms.CharField(
        label=_("Name"),
        max_length=200,
        help_text=_("Of your company or project, as it will stand on statements."),
        widget=forms.TextInput(attrs={"autocomplete": "organization", "autofocus": True}),
    )
    currency = forms.ChoiceField(
        label=_("Currency"),
        choices=lazy(currency_choices, list),
        initial=FIRST_CURRENCY,
        help_text=_("Your balance and every price are in it. It is fixed with the first top-up."),
    )
    time_zone = forms.ChoiceField(
        label=_("Time zone"),
        choices=[(zone, zone.replace("_", " ")) for zone in sorted(available_timezones())],
        initial=FIRST_TIME_ZONE,
        help_text=_("Days and months of usage and statements begin in it."),
        widget=forms.Select(attrs={"data-time-zone": ""}),
    )


class NewOrganizationView(SignedInView):
    """Opens an organization and shows its first key, this once."""

    def get(self, request: HttpRequest) -> HttpResponse:
        """Show the form."""
        return self._form(request, OrganizationForm())

    def post(self, request: HttpRequest) -> HttpResponse:
        """Open the organization. The answer is the only place its key ever stands."""
        form = OrganizationForm(request.POST)
        if not form.is_valid():
            return self._form(request, form)
        try:
            organization, secret = found_organization(
                founder=self.user,
                language=get_language() or "en",
                actor=self.actor,
                **form.cleaned_data,
            )
        except AppError as error:
            form.add_error(error.param if error.param in form.fields else None, error.message)
            return self._form(request, form)
        request.session[LAST_ORGANIZATION] = str(organization.id)
        context = {
            "organization": organization,
            "secret": secret,
            "is_test": secret.startswith("lz_sk_test_"),
            "tabs": generation_examples(key=secret),
        }
        response = render(request, "console/start_key.html", context)
        response["Cache-Control"] = "no-store"
        return response

    def _form(self, request: HttpRequest, form: OrganizationForm) -> HttpResponse:
        return render(request, "console/start.html", {"form": form})
