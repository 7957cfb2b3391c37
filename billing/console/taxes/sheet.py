"""An invoice's content with types and words, for pages and files alike."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any, Final
from uuid import UUID
from zoneinfo import ZoneInfo

from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from billing.console.payments.words import KINDS
from billing.console.taxes.words import TaxWords, tax_of
from billing.selectors.taxes.invoices import InvoiceView
from billing.selectors.taxes.terms import TaxTerms

REASONS: Final[Mapping[str, Promise]] = {
    "top_up": gettext_lazy("Prepaid credit for images"),
    "refund": gettext_lazy("Prepaid credit paid back"),
    "refund_failed": gettext_lazy("Prepaid credit: the payment back failed"),
    "dispute": gettext_lazy("Prepaid credit: the payment is disputed"),
    "dispute_won": gettext_lazy("Prepaid credit: the dispute was won"),
}


@dataclass(frozen=True, slots=True)
class InvoiceSheet:
    """All of an invoice. Instants are in the organization's zone; amounts in micros.

    Those of a correction are negative.
    """

    id: UUID
    organization_id: UUID
    payment_id: UUID
    number: str
    kind: str
    corrects: str
    reason: str
    issued_at: datetime
    paid_at: datetime | None
    language: str
    time_zone: str
    currency: str
    is_sandbox: bool
    seller: Mapping[str, str]
    customer: Mapping[str, str]
    payment_kind: str
    payment_reference: str
    card: str
    terms: TaxTerms
    net_micros: int
    tax_micros: int
    digest: str

    @property
    def total_micros(self) -> int:
        """Return what was paid, or went back."""
        return self.net_micros + self.tax_micros

    # Words follow the language in force: a page's is its reader's, a file's the document's.
    @property
    def title(self) -> str:
        """Return what it is called."""
        if self.kind == "correction":
            return _("Correction %(number)s") % {"number": self.number}
        return _("Invoice %(number)s") % {"number": self.number}

    @property
    def what(self) -> Promise:
        """Return what it is for."""
        return REASONS[self.reason]

    @property
    def how(self) -> Promise:
        """Return how it was paid."""
        return KINDS[self.payment_kind]

    @property
    def tax(self) -> TaxWords:
        """Return the tax in words."""
        return tax_of(self.terms)


def make_sheet(view: InvoiceView) -> InvoiceSheet:
    """Read a content."""
    said = view.content
    sign = 1 if said["kind"] == "invoice" else -1
    payment, tax = said["payment"], said["tax"]
    zone = ZoneInfo(said["time_zone"])
    return InvoiceSheet(
        id=view.id,
        organization_id=view.organization_id,
        payment_id=view.payment_id,
        number=said["number"],
        kind=said["kind"],
        corrects=said["corrects"],
        reason=said["reason"],
        issued_at=datetime.fromisoformat(said["issued_at"]).astimezone(zone),
        paid_at=_instant(said["paid_at"], zone),
        language=said["language"],
        time_zone=said["time_zone"],
        currency=said["currency"],
        is_sandbox=said["is_sandbox"],
        seller=said["seller"],
        customer=said["customer"],
        payment_kind=payment["kind"],
        payment_reference=payment["reference"],
        card=payment["card"],
        terms=_terms(tax),
        net_micros=sign * said["net"],
        tax_micros=sign * said["tax_amount"],
        digest=view.digest,
    )


def _terms(tax: Mapping[str, Any]) -> TaxTerms:
    return TaxTerms(tax["basis"], tax["country"], tax["name"], Decimal(tax["rate"]), tax["reason"])


def _instant(text: str, zone: ZoneInfo) -> datetime | None:
    return datetime.fromisoformat(text).astimezone(zone) if text else None
