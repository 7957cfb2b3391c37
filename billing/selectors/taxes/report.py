"""Tax collected: sums of invoices beside what the ledger says is owed."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from itertools import groupby

from django.db.models import BigIntegerField, Case, Count, F, Sum, When

from billing.models import AccountCode, Invoice
from billing.selectors.reports.trial_balance import AccountMovement, list_movements
from billing.selectors.taxes.invoices import InvoiceFilter, matching
from billing.selectors.taxes.terms import TaxTerms


@dataclass(frozen=True, slots=True)
class TaxSum:
    """Invoices less corrections of one tax, in micros of a currency."""

    currency: str
    terms: TaxTerms
    documents: int
    net_micros: int
    tax_micros: int


@dataclass(frozen=True, slots=True)
class TaxOfCurrency:
    """All taxes of a currency, and how `tax_payable` moved; None where it never did."""

    currency: str
    sums: Sequence[TaxSum]
    movement: AccountMovement | None

    @property
    def documents(self) -> int:
        """Return how many invoices and corrections there are."""
        return sum(one.documents for one in self.sums)

    @property
    def net_micros(self) -> int:
        """Return what they are net."""
        return sum(one.net_micros for one in self.sums)

    @property
    def tax_micros(self) -> int:
        """Return the tax on them."""
        return sum(one.tax_micros for one in self.sums)

    @property
    def opening_micros(self) -> int:
        """Return what was owed before the period."""
        return self.movement.opening if self.movement else 0

    @property
    def closing_micros(self) -> int:
        """Return what is owed after it."""
        return self.movement.closing if self.movement else 0

    @property
    def other_micros(self) -> int:
        """Return what else moved the account: what was paid to the state, and adjustments."""
        return self.closing_micros - self.opening_micros - self.tax_micros


def sum_taxes(*, begins: date, ends: date) -> list[TaxOfCurrency]:
    """Return the tax of invoices that took effect in a period, by currency, country and rate.

    Days of UTC, both included, as those of the trial balance. Two queries.
    """
    rows = _sums(InvoiceFilter(begins, ends))
    movements = {
        one.currency: one
        for one in list_movements(begins=begins, ends=ends)
        if one.code == AccountCode.TAX_PAYABLE
    }
    found = {code: list(group) for code, group in groupby(rows, key=lambda one: one.currency)}
    return [
        TaxOfCurrency(code, found.get(code, []), movements.get(code))
        for code in sorted(found.keys() | movements.keys())
    ]


def _sums(wanted: InvoiceFilter) -> list[TaxSum]:
    columns = ("currency", "tax_country", "tax_basis", "tax_name", "tax_rate")
    rows = matching(wanted).values(*columns)
    summed = rows.annotate(documents=Count("id"), net=_signed("net"), tax=_signed("tax"))
    return [
        TaxSum(
            row["currency"],
            TaxTerms(row["tax_basis"], row["tax_country"], row["tax_name"], row["tax_rate"]),
            row["documents"],
            int(row["net"]),
            int(row["tax"]),
        )
        for row in summed.order_by(*columns)
    ]


def _signed(name: str) -> Sum:
    column = F(f"{name}_micros")
    signed = Case(
        When(kind=Invoice.Kind.CORRECTION, then=-column),
        default=column,
        output_field=BigIntegerField(),
    )
    return Sum(signed)
