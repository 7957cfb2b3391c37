"""Settings of an organization, a page for each group of them."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Final, cast
from zoneinfo import available_timezones

from django import forms
from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import NoReverseMatch, reverse
from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from core.errors import AppError
from orgs.console.failures import AdministrationView, add_failure
from orgs.permissions import Permission
from orgs.selectors import Organization
from orgs.services.organization_settings import SettingsChanges, change_settings

# In this order above each of them; one appears once its URL exists.
TABS: Final = (
    ("organization_settings", gettext_lazy("General"), Permission.MANAGE_SETTINGS),
    ("image_settings", gettext_lazy("Images and retention"), Permission.MANAGE_SETTINGS),
    ("model_settings", gettext_lazy("Models"), Permission.MANAGE_SETTINGS),
    ("limits", gettext_lazy("Limits"), Permission.MANAGE_SETTINGS),
    ("currency_settings", gettext_lazy("Currency"), Permission.MANAGE_SETTINGS),
    ("billing_profile", gettext_lazy("Billing profile"), Permission.MANAGE_BILLING_PROFILE),
    ("organization_ownership", gettext_lazy("Ownership and deletion"), None),
)


@dataclass(frozen=True, slots=True)
class Tab:
    """One page of settings, as it is drawn."""

    label: Promise
    url: str
    is_current: bool


class GeneralForm(forms.Form):
    """What the organization is called, and its conventions."""

    name = forms.CharField(
        label=gettext_lazy("Name"),
        max_length=200,
        widget=forms.TextInput(attrs={"autocomplete": "organization"}),
    )
    time_zone = forms.ChoiceField(
        label=gettext_lazy("Time zone"),
        choices=[(zone, zone.replace("_", " ")) for zone in sorted(available_timezones())],
        help_text=gettext_lazy("Days and months of usage and statements begin in it."),
    )
    language = forms.ChoiceField(
        label=gettext_lazy("Language"),
        choices=Organization.Language.choices,
        help_text=gettext_lazy("Of mail to the organization. Everybody chooses their own here."),
    )


class BillingProfileForm(forms.Form):
    """Who invoices and statements are made out to."""

    legal_name = forms.CharField(label=gettext_lazy("Legal name"), required=False, max_length=200)
    billing_address = forms.CharField(
        label=gettext_lazy("Address"),
        required=False,
        max_length=1000,
        widget=forms.Textarea(attrs={"rows": 3, "class": "form-control"}),
    )
    billing_country = forms.RegexField(
        r"^[A-Za-z]{2}$",
        label=gettext_lazy("Country"),
        required=False,
        help_text=gettext_lazy("Two letters, such as MX."),
        error_messages={"invalid": gettext_lazy("Give the country as two letters, such as MX.")},
    )
    tax_id = forms.CharField(
        label=gettext_lazy("Tax id"),
        required=False,
        max_length=40,
        help_text=gettext_lazy("RFC, VAT number or what your country has."),
    )
    billing_email = forms.EmailField(
        label=gettext_lazy("E-mail address for invoices"), required=False
    )


class SettingsFormView(AdministrationView):
    """One group of settings as a form.

    Attributes:
        form_class: Its fields are named after the settings.
        url_name: Its page.
        text: What the group is about, in a sentence.
    """

    permission = Permission.MANAGE_SETTINGS
    form_class: ClassVar[type[forms.Form]]
    url_name: ClassVar[str]
    text: ClassVar[Promise]

    def get(self, request: HttpRequest) -> HttpResponse:
        """Show the settings as they are."""
        return self._page(request, self.form_class(initial=self.present()))

    def post(self, request: HttpRequest) -> HttpResponse:
        """Change them, all or none."""
        form = self.form_class(request.POST)
        if form.is_valid():
            try:
                change_settings(
                    organization_id=self.organization.id,
                    changes=cast("SettingsChanges", form.cleaned_data),
                    is_known_model=self.is_known_model,
                    actor=self.actor,
                )
            except AppError as error:
                add_failure(form, error)
            else:
                messages.success(request, _("The settings are saved."))
                return redirect(self.url_name, organization_id=self.organization.id)
        return self._page(request, form)

    def present(self) -> dict[str, Any]:
        """Return the settings as they are, for the form."""
        return {name: getattr(self.organization, name) for name in self.form_class.base_fields}

    @property
    def is_known_model(self) -> Callable[[str], bool]:
        """Say which models there are; the pages of this app name none."""
        return frozenset[str]().__contains__

    def _page(self, request: HttpRequest, form: forms.Form) -> HttpResponse:
        context = {"form": form, "text": self.text, "tabs": tabs_of(self)}
        return render(request, "console/settings/form.html", context)


class GeneralSettingsView(SettingsFormView):
    """Name, time zone and language."""

    form_class = GeneralForm
    url_name = "organization_settings"
    text = gettext_lazy("What your organization is called, and when its days begin.")


class BillingProfileView(SettingsFormView):
    """The billing profile; billing people change it, too."""

    permission = Permission.MANAGE_BILLING_PROFILE
    form_class = BillingProfileForm
    url_name = "billing_profile"
    text = gettext_lazy("Who invoices and statements are made out to.")


class LimitsView(AdministrationView):
    """The organization's limits, which the platform sets."""

    permission = Permission.MANAGE_SETTINGS

    def get(self, request: HttpRequest) -> HttpResponse:
        """Show them."""
        own = self.organization
        limits = [
            (_("Requests a minute"), own.requests_per_minute),
            (_("Images a minute"), own.images_per_minute),
            (_("Requests at once"), own.max_concurrent),
        ]
        context = {"limits": limits, "tabs": tabs_of(self)}
        return render(request, "console/settings/limits.html", context)


def tabs_of(view: AdministrationView) -> Sequence[Tab]:
    """Return the pages of settings that a person may see."""
    found = []
    for name, label, permission in TABS:
        if permission is not None and not view.may(permission):
            continue
        try:
            url = reverse(name, kwargs={"organization_id": view.organization.id})
        except NoReverseMatch:
            continue
        found.append(Tab(label, url, view.request.path == url))
    return found
