"""What taxes are called on pages and invoices."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy

from billing.selectors.taxes.invoices import InvoiceSummary
from billing.selectors.taxes.terms import TaxTerms
from billing.templatetags.money import percent

TREATMENTS: Final[Mapping[str, Promise]] = {
    "standard": pgettext_lazy("tax", "The country's rate"),
    "exempt": pgettext_lazy("tax", "Exempt"),
    "reverse_charge": pgettext_lazy("tax", "Reverse charge"),
}
DOCUMENTS: Final[Mapping[str, Promise]] = {
    "invoice": pgettext_lazy("document", "Invoice"),
    "correction": pgettext_lazy("document", "Correction"),
}
# Why a payment bears no tax: in a word, and in a sentence.
_NONE: Final[Mapping[str, tuple[Promise, Promise]]] = {
    "exempt": (TREATMENTS["exempt"], _("Exempt from tax.")),
    "reverse_charge": (
        TREATMENTS["reverse_charge"],
        _("Reverse charge: you account for the tax yourself."),
    ),
    "no_country": (
        pgettext_lazy("tax", "No country"),
        _("No tax is added: the billing profile names no country."),
    ),
    "no_rate": (
        pgettext_lazy("tax", "No tax there"),
        _("No tax is charged in the country of the billing profile."),
    ),
    "unknown": (pgettext_lazy("tax", "Not recorded"), _("Older than taxes here.")),
}


@dataclass(frozen=True, slots=True)
class TaxWords:
    """A tax as people read it; `sentence` is empty where there is one to pay."""

    terms: TaxTerms
    name: str
    sentence: str

    @property
    def is_due(self) -> bool:
        """Return whether tax is added."""
        return bool(self.terms.rate)


def tax_of(terms: TaxTerms) -> TaxWords:
    """Put the terms of a tax into words."""
    if terms.basis == "standard":
        return TaxWords(terms, f"{terms.name} {percent(terms.rate)}", "")
    name, sentence = _NONE[terms.basis]
    return TaxWords(terms, str(name), " ".join(filter(None, (str(sentence), terms.reason))))


def row_of_invoice(invoice: InvoiceSummary) -> dict[str, object]:
    """Return an invoice with its words."""
    return {"invoice": invoice, "kind": DOCUMENTS[invoice.kind], "tax": tax_of(invoice.terms)}
