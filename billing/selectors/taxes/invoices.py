"""Find invoices and their corrections."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID

from django.db.models import Q, QuerySet, Subquery

from billing.models import Invoice, JournalEntry
from billing.selectors.taxes.terms import TaxTerms


@dataclass(frozen=True, slots=True)
class InvoiceSummary:
    """One invoice of a list; amounts in micros, those of corrections negative."""

    id: UUID
    name: str
    kind: str
    organization_id: UUID
    organization_name: str
    payment_id: UUID
    currency: str
    net_micros: int
    tax_micros: int
    terms: TaxTerms
    effective_at: datetime
    issued_at: datetime

    @property
    def total_micros(self) -> int:
        """Return what was paid, or went back."""
        return self.net_micros + self.tax_micros


@dataclass(frozen=True, slots=True)
class InvoiceView:
    """An invoice: what it says (`billing.services.invoices.content`), and its SHA-256."""

    id: UUID
    organization_id: UUID
    payment_id: UUID
    entry_key: str
    content: Mapping[str, Any]
    digest: str


@dataclass(frozen=True, slots=True)
class InvoiceFilter:
    """Which invoices of the platform: of days of UTC, both included, and of what tax."""

    begins: date
    ends: date
    currency: str = ""
    country: str | None = None
    basis: str = ""
    name: str | None = None
    rate: Decimal | None = None


def list_invoices(*, organization_id: UUID, limit: int, offset: int = 0) -> list[InvoiceSummary]:
    """Return an organization's invoices, newest first. One query."""
    rows = _rows().filter(organization_id=organization_id)
    return list(map(_summary, rows.order_by("-issued_at", "-number")[offset : offset + limit]))


def list_of_payment(*, payment_id: UUID) -> list[InvoiceSummary]:
    """Return a payment's invoice and what corrects it, oldest first. One query."""
    rows = _rows().filter(payment_id=payment_id)
    return list(map(_summary, rows.order_by("issued_at", "number")))


def find_of_entry(*, organization_id: UUID, entry_id: UUID) -> InvoiceSummary | None:
    """Return the invoice or correction that was issued with an entry. One query."""
    key = JournalEntry.objects.filter(id=entry_id).values("idempotency_key")
    row = _rows().filter(organization_id=organization_id, entry_key=Subquery(key)).first()
    return None if row is None else _summary(row)


def list_of_tax(*, wanted: InvoiceFilter, limit: int, offset: int = 0) -> list[InvoiceSummary]:
    """Return invoices of a period, by when they took effect. One query."""
    rows = matching(wanted).select_related("organization")
    return list(map(_summary, rows.order_by("effective_at", "id")[offset : offset + limit]))


def matching(wanted: InvoiceFilter) -> QuerySet[Invoice]:
    """Return the rows that a filter lets through."""
    exact = {
        "currency": wanted.currency or None,
        "tax_country": wanted.country,
        "tax_basis": wanted.basis or None,
        "tax_name": wanted.name,
        "tax_rate": wanted.rate,
    }
    begins = datetime.combine(wanted.begins, time(), UTC)
    ends = datetime.combine(wanted.ends + timedelta(days=1), time(), UTC)
    return Invoice.objects.filter(
        Q(effective_at__gte=begins, effective_at__lt=ends),
        **{name: value for name, value in exact.items() if value is not None},
    )


def find_invoice(*, invoice_id: UUID, organization_id: UUID | None = None) -> InvoiceView | None:
    """Return an invoice, of one organization or of any. One query."""
    rows = Invoice.objects.filter(id=invoice_id)
    if organization_id is not None:
        rows = rows.filter(organization_id=organization_id)
    row = rows.first()
    if row is None:
        return None
    return InvoiceView(
        row.id,
        row.organization_id,
        row.payment_id,
        row.entry_key,
        row.content,
        bytes(row.digest).hex(),
    )


def _rows() -> QuerySet[Invoice]:
    return Invoice.objects.select_related("organization").defer("content")


def _summary(row: Invoice) -> InvoiceSummary:
    sign = 1 if row.kind == Invoice.Kind.INVOICE else -1
    return InvoiceSummary(
        id=row.id,
        name=str(row),
        kind=row.kind,
        organization_id=row.organization_id,
        organization_name=row.organization.name,
        payment_id=row.payment_id,
        currency=row.currency,
        net_micros=sign * row.net_micros,
        tax_micros=sign * row.tax_micros,
        terms=TaxTerms(row.tax_basis, row.tax_country, row.tax_name, row.tax_rate),
        effective_at=row.effective_at,
        issued_at=row.issued_at,
    )
