"""What of an amount is tax: rounded once for each payment, half up to the currency's minor unit."""

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from billing.money import round_half_up_minor, to_decimal
from billing.selectors.taxes.terms import TaxTerms, find_terms
from orgs.models import Organization


@dataclass(frozen=True, slots=True)
class TaxedAmount:
    """Money for a wallet and the tax on it, in micros, with the terms it was computed by."""

    net_micros: int
    tax_micros: int
    currency: str
    terms: TaxTerms

    @property
    def gross_micros(self) -> int:
        """Return what is paid."""
        return self.net_micros + self.tax_micros

    def columns(self) -> dict[str, object]:
        """Return the columns of a `Payment` that keep it."""
        return {
            "gross_micros": self.gross_micros,
            "net_micros": self.net_micros,
            "tax_micros": self.tax_micros,
            "currency": self.currency,
            "tax_basis": self.terms.basis,
            "tax_country": self.terms.country,
            "tax_name": self.terms.name,
            "tax_rate": self.terms.rate,
            "tax_reason": self.terms.reason,
        }


def add_tax(organization: Organization, net_micros: int, *, at: datetime) -> TaxedAmount:
    """Return an amount that an organization adds, with the tax that comes on top."""
    return taxed(net_micros, organization.currency, find_terms(organization, at=at))


def taxed(net_micros: int, currency: str, terms: TaxTerms) -> TaxedAmount:
    """Return an amount with the tax that terms put on top."""
    return TaxedAmount(net_micros, tax_on(net_micros, terms.rate, currency), currency, terms)


def split_tax(organization: Organization, gross_micros: int, *, at: datetime) -> TaxedAmount:
    """Return an amount that came from an organization, parted into its own and the tax within."""
    terms, currency = find_terms(organization, at=at), organization.currency
    net = net_within(gross_micros, terms.rate, currency)
    return TaxedAmount(net, gross_micros - net, currency, terms)


def tax_on(net_micros: int, rate: Decimal, currency: str) -> int:
    """Return the tax that comes on top of an amount."""
    return round_half_up_minor(to_decimal(net_micros) * rate, currency) if rate else 0


def net_within(gross_micros: int, rate: Decimal, currency: str) -> int:
    """Return what an amount is without the tax within."""
    if not rate:
        return gross_micros
    return round_half_up_minor(to_decimal(gross_micros) / (1 + rate), currency)
