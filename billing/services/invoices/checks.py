"""Checking that invoices are whole, unchanged, without gaps, and what the ledger says."""

from collections.abc import Iterator
from typing import Any, Final
from uuid import UUID

from django.db import connection

from billing.models import Invoice, InvoiceSeries
from billing.services.invoices.issuing import series_of
from billing.services.statements.content import digest_of
from billing.types import Finding

_TABLE: Final = "billing_invoice"
_ENTRIES: Final = """
SELECT e.idempotency_key, booked.micros, booked.tax_micros, i.id, i.number
FROM billing_journalentry AS e
JOIN billing_payment AS p ON p.reference = e.reference AND p.status = 'succeeded'
JOIN LATERAL (
    SELECT coalesce(sum(amount_micros) FILTER (WHERE direction = 'debit'), 0) AS micros,
        coalesce(sum(amount_micros) FILTER (WHERE code = 'tax_payable'), 0) AS tax_micros
    FROM billing_posting AS posting JOIN billing_account AS a ON a.id = posting.account_id
    WHERE posting.entry_id = e.id AND posting.currency = p.currency
) AS booked ON true
LEFT JOIN billing_invoice AS i ON i.entry_key = e.idempotency_key
WHERE (e.kind IN ('payment_refund', 'dispute')
        OR e.kind = 'top_up' AND e.idempotency_key = 'top_up:payment:' || p.id)
    AND p.tax_basis <> 'unknown'
    AND (%(organization_id)s::uuid IS NULL OR p.organization_id = %(organization_id)s)
    AND (i.id IS NULL OR i.payment_id <> p.id OR i.organization_id <> p.organization_id
        OR i.net_micros + i.tax_micros <> booked.micros OR i.tax_micros <> booked.tax_micros
        OR i.currency <> p.currency OR i.effective_at <> e.effective_at
        OR (i.tax_basis, i.tax_country, i.tax_name, i.tax_rate)
            <> (p.tax_basis, p.tax_country, p.tax_name, p.tax_rate)
        OR (i.kind = 'correction') <> (e.idempotency_key LIKE 'payment_refund:%%'
            OR e.idempotency_key LIKE 'dispute:%%'))
ORDER BY e.idempotency_key
"""
_UNBOOKED: Final = """
SELECT i.id, i.entry_key FROM billing_invoice AS i
WHERE NOT EXISTS (
        SELECT FROM billing_journalentry AS e WHERE e.idempotency_key = i.entry_key
    )
    AND (%(organization_id)s::uuid IS NULL OR i.organization_id = %(organization_id)s)
ORDER BY i.id
"""


def check_invoices(*, organization_id: UUID | None) -> Iterator[Finding]:
    """Yield invoices that were changed, are missing, or say other than their entries do."""
    rows = Invoice.objects.select_related("payment", "corrects").order_by("series_id", "number")
    if organization_id is not None:
        rows = rows.filter(organization_id=organization_id)
    last: dict[str, int] = {}
    for row in rows.iterator(chunk_size=200):
        for problem in _problems(row):
            yield Finding("invoice", _TABLE, str(row.id), f"{row} {problem}")
        before = last.get(row.series_id, 0)
        if organization_id is None and row.number != before + 1:
            text = f"{row} does not follow number {before}"
            yield Finding("invoice_number", _TABLE, str(row.id), text)
        last[row.series_id] = row.number
    if organization_id is None:
        yield from _check_series(last)
    for key, micros, tax, invoice_id, number in _rows(_ENTRIES, organization_id):
        found = f"number {number} says otherwise" if invoice_id else "there is no invoice"
        text = f"{key} books {micros} micros with tax of {tax}; {found}"
        yield Finding("invoice_entry", _TABLE, str(invoice_id or key), text)
    for invoice_id, key in _rows(_UNBOOKED, organization_id):
        text = f"there is no entry {key}"
        yield Finding("invoice_entry", _TABLE, str(invoice_id), text)


def _check_series(last: dict[str, int]) -> Iterator[Finding]:
    counters = dict(InvoiceSeries.objects.values_list("name", "last"))
    for name in sorted(last.keys() | counters.keys()):
        counted, found = counters.get(name, 0), last.get(name, 0)
        if counted != found:
            text = f"{name} has counted to {counted}, its last invoice found is number {found}"
            yield Finding("invoice_number", "billing_invoiceseries", name, text)


def _problems(row: Invoice) -> Iterator[str]:
    content = row.content
    if digest_of(content) != bytes(row.digest):
        yield "was changed after it was issued"
    if _said(content) != _kept(row):
        yield "says other than its row"
    if row.series_id != series_of(row.payment, now=row.issued_at):
        yield "is of another series than its year"


def _said(content: dict[str, Any]) -> tuple[object, ...]:
    tax = content["tax"]
    return (
        content["number"],
        content["kind"],
        content["corrects"],
        content["customer"]["id"],
        content["payment"]["id"],
        (content["currency"], content["net"], content["tax_amount"], content["total"]),
        sum(line["net"] for line in content["lines"]),
        (tax["basis"], tax["country"], tax["name"], tax["rate"]),
    )


def _kept(row: Invoice) -> tuple[object, ...]:
    return (
        str(row),
        row.kind,
        str(row.corrects or ""),
        str(row.organization_id),
        str(row.payment_id),
        (row.currency, row.net_micros, row.tax_micros, row.net_micros + row.tax_micros),
        row.net_micros,
        (row.tax_basis, row.tax_country, row.tax_name, f"{row.tax_rate.normalize():f}"),
    )


def _rows(sql: str, organization_id: UUID | None) -> list[tuple[Any, ...]]:
    with connection.cursor() as cursor:
        cursor.execute(sql, {"organization_id": organization_id})
        found: list[tuple[Any, ...]] = cursor.fetchall()
    return found
