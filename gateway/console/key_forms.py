"""The form of an API key's terms."""

import re
from datetime import datetime, time, timedelta
from ipaddress import ip_network
from typing import Any, Final

from django import forms
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext

from billing.console.fields import AmountField
from core.clock import now
from gateway.catalog.registry import catalog
from gateway.services.onboarding import KeyTerms
from orgs.console.widgets import Checks, Choice, described
from orgs.selectors.api_keys import KeyView
from orgs.services.api_keys import MOST_PER_MINUTE, Rates
from orgs.services.key_administration import NAME_MAX_LENGTH

MOST_CONCURRENT: Final = 100_000
SCOPES: Final = (
    ("images:write", gettext_lazy("Make and delete images"), "images:write"),
    ("images:read", gettext_lazy("List and read generations"), "images:read"),
    ("billing:read", gettext_lazy("Read balance and usage"), "billing:read"),
    ("webhooks:write", gettext_lazy("Manage webhooks"), "webhooks:write"),
)
SCOPE_NAMES: Final = {scope: label for scope, label, _code in SCOPES}


def model_choices() -> list[tuple[str, str]]:
    """Return every model once, by its namespaced id where it has one."""
    ids: dict[str, str] = {}
    for model in catalog().models():
        if model.key not in ids or model.namespaced:
            ids[model.key] = model.id
    return [(one, one) for one in sorted(ids.values())]


class TermsForm(forms.Form):
    """What a key may do. What is left empty restricts nothing."""

    name = forms.CharField(
        label=gettext_lazy("Name"),
        max_length=NAME_MAX_LENGTH,
        help_text=gettext_lazy("Where it is used, such as “web shop”; it stands in the log."),
        widget=forms.TextInput(attrs={"autocomplete": "off"}),
    )
    scopes = forms.MultipleChoiceField(
        label=gettext_lazy("What it may do"),
        choices=[(scope, described(label, code)) for scope, label, code in SCOPES],
        widget=Checks(label=gettext_lazy("What it may do")),
        error_messages={"required": gettext_lazy("Choose at least one.")},
    )
    models_allowed = forms.MultipleChoiceField(
        label=gettext_lazy("Models"),
        required=False,
        help_text=gettext_lazy("None chosen means every model, those to come included."),
        widget=Checks(label=gettext_lazy("Models")),
    )
    cidrs = forms.CharField(
        label=gettext_lazy("Networks"),
        required=False,
        help_text=gettext_lazy(
            "Addresses or networks it may be used from, one a line, such as 203.0.113.0/24. Empty"
            " means from anywhere."
        ),
        widget=forms.Textarea(attrs={"rows": 3, "spellcheck": "false", "class": "form-control"}),
    )
    requests_per_minute = forms.IntegerField(
        label=gettext_lazy("Requests a minute"),
        required=False,
        min_value=1,
        max_value=MOST_PER_MINUTE,
    )
    images_per_minute = forms.IntegerField(
        label=gettext_lazy("Images a minute"),
        required=False,
        min_value=1,
        max_value=MOST_PER_MINUTE,
    )
    max_concurrent = forms.IntegerField(
        label=gettext_lazy("Requests at once"),
        required=False,
        min_value=1,
        max_value=MOST_CONCURRENT,
        help_text=gettext_lazy("The organization's own limits hold beside these."),
    )
    expires_on = forms.DateField(
        label=gettext_lazy("Last day"),
        required=False,
        help_text=gettext_lazy("It works until the end of this day, in your organization's zone."),
        widget=forms.DateInput(attrs={"type": "date"}, format="%Y-%m-%d"),
    )

    def __init__(self, *args: object, key: KeyView | None = None, **options: object) -> None:
        if key is not None:
            options["initial"] = initial_terms(key)
        super().__init__(*args, **options)  # type: ignore[arg-type] # a form's own arguments
        self.key = key
        models = self.fields["models_allowed"]
        assert isinstance(models, forms.MultipleChoiceField)  # noqa: S101 - declared above
        # One that has left the catalog stays: without it the key might have every model.
        known = model_choices()
        kept = sorted(set(self.initial.get("models_allowed", ())) - {one for one, _ in known})
        models.choices = [*known, *((one, one) for one in kept)]

    def clean_cidrs(self) -> list[str]:
        """Read the networks.

        Raises:
            ValidationError: One of them is none.
        """
        words = re.split(r"[\s,]+", self.cleaned_data["cidrs"].strip())
        found = [word for word in words if word]
        for word in found:
            try:
                ip_network(word, strict=False)
            except ValueError as error:
                raise forms.ValidationError(
                    _("“%(word)s” is neither an address nor a network.") % {"word": word[:60]}
                ) from error
        return found

    def clean_expires_on(self) -> datetime | None:
        """Return the instant at which the last day ends.

        Raises:
            ValidationError: It has ended already.
        """
        day = self.cleaned_data["expires_on"]
        if day is None:
            return None
        if self.key is not None and day == self.initial["expires_on"]:
            return self.key.expires_at
        end = timezone.make_aware(datetime.combine(day + timedelta(days=1), time.min))
        if end <= now():
            raise forms.ValidationError(_("This day is over already."))
        return end

    def terms(self, *, livemode: bool, budget_micros: int | None = None) -> KeyTerms:
        """Return what was written. All scopes together are no restriction."""
        data = self.cleaned_data
        scopes = data["scopes"]
        return KeyTerms(
            name=data["name"],
            livemode=livemode,
            scopes=() if len(scopes) == len(SCOPES) else tuple(scopes),
            models_allowed=tuple(data["models_allowed"]),
            cidrs=tuple(data["cidrs"]),
            max_concurrent=data["max_concurrent"],
            rates=Rates(data["requests_per_minute"], data["images_per_minute"]),
            expires_at=data["expires_on"],
            budget_micros=budget_micros,
        )


class NewKeyForm(TermsForm):
    """A new key: its terms, its mode, and what it may spend."""

    mode = forms.ChoiceField(label=gettext_lazy("Mode"), widget=Choice(label=gettext_lazy("Mode")))
    field_order = ("name", "mode", "budget", "scopes", "models_allowed", "cidrs")

    def __init__(self, *args: object, currency: str, has_sandbox: bool, **options: object) -> None:
        super().__init__(*args, **options)  # type: ignore[arg-type] # a form's own arguments
        live = (
            "live",
            described(_("Live"), _("Providers draw; each delivered image is charged.")),
        )
        test = ("test", described(_("Test"), _("The sandbox draws; nothing is charged.")))
        mode = self.fields["mode"]
        assert isinstance(mode, forms.ChoiceField)  # noqa: S101 - declared above
        mode.choices = [live, test] if has_sandbox else [live]
        self.fields["budget"] = AmountField(
            currency=currency,
            required=False,
            label=_("Budget a month (%(currency)s)") % {"currency": currency},
            help_text=_("Requests beyond it are refused before they cost anything."),
        )
        self.order_fields(self.field_order)

    def new_terms(self) -> KeyTerms:
        """Return the terms of the new key."""
        livemode = self.cleaned_data["mode"] == "live"
        budget = self.cleaned_data["budget"] if livemode else None
        return self.terms(livemode=livemode, budget_micros=budget)


def initial_terms(key: KeyView) -> dict[str, Any]:
    """Return a key's present terms for its form."""
    last_day = timezone.localtime(key.expires_at) if key.expires_at else None
    return {
        "name": key.name,
        "scopes": list(key.scopes) or [scope for scope, *_rest in SCOPES],
        "models_allowed": sorted({listed_id(one) for one in key.models_allowed}),
        "cidrs": "\n".join(key.cidrs),
        "requests_per_minute": key.requests_per_minute,
        "images_per_minute": key.images_per_minute,
        "max_concurrent": key.max_concurrent,
        "expires_on": (last_day - timedelta(microseconds=1)).date() if last_day else None,
    }


def terms_in_words(key: KeyView, *, budget: str = "") -> str:
    """Return what a key may do in one line, such as “2 models · 500 MXN a month · 60/min”."""
    parts = []
    if key.scopes:
        parts.append(", ".join(key.scopes))
    if key.models_allowed:
        count = len(key.models_allowed)
        parts.append(ngettext("%(count)s model", "%(count)s models", count) % {"count": count})
    if budget:
        parts.append(_("%(amount)s a month") % {"amount": budget})
    if key.requests_per_minute:
        parts.append(_("%(count)s requests/min") % {"count": key.requests_per_minute})
    if key.images_per_minute:
        parts.append(_("%(count)s images/min") % {"count": key.images_per_minute})
    if key.max_concurrent:
        parts.append(_("%(count)s at once") % {"count": key.max_concurrent})
    if key.cidrs:
        count = len(key.cidrs)
        parts.append(
            key.cidrs[0]
            if count == 1
            else ngettext("%(count)s network", "%(count)s networks", count) % {"count": count}
        )
    return " · ".join(parts) or _("No restrictions")


def listed_id(model_id: str) -> str:
    """Return the id under which the form lists a model."""
    model = catalog().find(model_id)
    listed = {one for one, _label in model_choices()}
    if model is None or model_id in listed:
        return model_id
    return next(one.id for one in catalog().models() if one.key == model.key and one.id in listed)
