"""The form of a rate that is set by hand."""

import re
from decimal import Decimal
from typing import Final

from django import forms
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from billing.currencies import MINOR_DIGITS
from billing.services.rates.manual import ManualRate

_CURRENCIES: Final = [(code, code) for code in sorted(MINOR_DIGITS)]
_RATE: Final = re.compile(r"[0-9]{1,9}([.,][0-9]{1,10})?", re.ASCII)


class RateField(forms.CharField):
    """A rate; a comma or a point before its decimals."""

    def to_python(self, value: object) -> Decimal | None:  # type: ignore[override] # a number, not text
        """Read it exactly.

        Raises:
            ValidationError: It is no number, or has too many decimals.
        """
        text = super().to_python(value) or ""
        if not text:
            return None
        if not _RATE.fullmatch(text):
            raise forms.ValidationError(_("Write digits with at most ten decimals, like 18.3465."))
        return Decimal(text.replace(",", "."))


class RateForm(forms.Form):
    """A rate, why, and for how long."""

    base = forms.ChoiceField(label=gettext_lazy("One unit of"), choices=_CURRENCIES, initial="USD")
    quote = forms.ChoiceField(label=gettext_lazy("is worth in"), choices=_CURRENCIES)
    rate = RateField(
        label=gettext_lazy("Rate"),
        widget=forms.TextInput(attrs={"inputmode": "decimal", "autocomplete": "off"}),
        help_text=gettext_lazy(
            "More than a fifth away from the rate in force needs a second person of finance."
        ),
    )
    reason = forms.CharField(
        label=gettext_lazy("Reason"),
        max_length=255,
        help_text=gettext_lazy("It stays in the history and in the audit log."),
    )
    valid_from = forms.DateTimeField(
        label=gettext_lazy("From"),
        required=False,
        widget=forms.DateTimeInput(attrs={"type": "datetime-local"}, format="%Y-%m-%dT%H:%M"),
        help_text=gettext_lazy("In UTC. Empty: from now on."),
    )
    valid_until = forms.DateTimeField(
        label=gettext_lazy("Until"),
        required=False,
        widget=forms.DateTimeInput(attrs={"type": "datetime-local"}, format="%Y-%m-%dT%H:%M"),
        help_text=gettext_lazy("In UTC. Empty: until somebody ends it."),
    )

    def terms(self) -> ManualRate:
        """Return what was entered; the form is valid."""
        return ManualRate(**self.cleaned_data)
