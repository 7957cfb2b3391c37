"""Forms of reconciliation: a provider's file, a payment, a waiver."""

from typing import Any, Final

from django import forms
from django.core.files.uploadedfile import UploadedFile
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from billing.console.fields import AmountField
from billing.services.reconciliation.reading import MOST_BYTES
from gateway.console.finance.reconciliation.words import UNITS
from gateway.providers.registry import PROVIDERS

CURRENCY: Final = "USD"
_PROVIDERS: Final = [(name, name) for name in sorted(PROVIDERS)]
_DAY: Final = forms.DateInput(attrs={"type": "date"}, format="%Y-%m-%d")
_COLUMNS: Final = {
    "date": gettext_lazy("Column of the date"),
    "model": gettext_lazy("Column of the model"),
    "amount": gettext_lazy("Column of the amount"),
    "count": gettext_lazy("Column of the count"),
    "id": gettext_lazy("Column of the provider's id of a call"),
}


class FileForm(forms.Form):
    """A provider's file, and what its columns are called where that is not usual."""

    provider = forms.ChoiceField(label=gettext_lazy("Provider"), choices=_PROVIDERS)
    file = forms.FileField(
        label=gettext_lazy("CSV file"),
        widget=forms.FileInput(attrs={"accept": ".csv,text/csv"}),
        help_text=gettext_lazy("The provider's usage or invoice; at most 5 MB and 50,000 lines."),
    )
    unit = forms.ChoiceField(
        label=gettext_lazy("Its counts are of"), choices=list(UNITS.items()), initial="requests"
    )
    first = forms.DateField(
        label=gettext_lazy("First day"),
        required=False,
        widget=_DAY,
        help_text=gettext_lazy("Of UTC. Empty: that of its first line."),
    )
    last = forms.DateField(
        label=gettext_lazy("Last day"),
        required=False,
        widget=_DAY,
        help_text=gettext_lazy("Empty: that of its last line."),
    )

    def __init__(self, *args: Any, **options: Any) -> None:  # noqa: ANN401 - a form's own
        super().__init__(*args, **options)
        for name, label in _COLUMNS.items():
            self.fields[f"column_{name}"] = forms.CharField(
                label=label, required=False, max_length=100
            )

    def clean_file(self) -> tuple[str, str]:
        """Return the name and the text.

        Raises:
            ValidationError: It is too large, or no text.
        """
        file = self.cleaned_data["file"]
        assert isinstance(file, UploadedFile)  # noqa: S101 - of a file field
        if file.size is None or file.size > MOST_BYTES:
            raise forms.ValidationError(_("The file is larger than 5 MB."))
        try:
            text: str = file.read().decode("utf-8-sig")
        except UnicodeDecodeError as error:
            raise forms.ValidationError(_("The file is no text in UTF-8.")) from error
        return str(file.name), text

    @property
    def columns(self) -> dict[str, str]:
        """Return what columns are called; the form is valid."""
        return {name: self.cleaned_data[f"column_{name}"] for name in _COLUMNS}


class PaymentForm(forms.Form):
    """What the bank says of a payment to a provider."""

    provider = forms.ChoiceField(label=gettext_lazy("Provider"), choices=_PROVIDERS)
    amount = AmountField(currency=CURRENCY, label=gettext_lazy("Amount in USD"))
    bank_reference = forms.CharField(
        label=gettext_lazy("Reference"),
        max_length=255,
        help_text=gettext_lazy("What the bank calls the payment. It can be recorded once."),
    )
    paid_on = forms.DateField(label=gettext_lazy("Paid on"), widget=_DAY)


class WaiverForm(forms.Form):
    """A provider's month that need not be reconciled, and why."""

    provider = forms.ChoiceField(label=gettext_lazy("Provider"), choices=_PROVIDERS)
    month = forms.DateField(
        label=gettext_lazy("Month"),
        widget=forms.DateInput(attrs={"type": "month"}, format="%Y-%m"),
        input_formats=["%Y-%m", "%Y-%m-%d"],
    )
    reason = forms.CharField(
        label=gettext_lazy("Reason"), max_length=500, help_text=gettext_lazy("It is logged.")
    )
