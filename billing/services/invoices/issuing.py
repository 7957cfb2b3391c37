"""Issue invoices: one with each entry that books a payment, or takes it back."""

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

from django.db import connection

from billing.models import Invoice, JournalEntry, Payment, TaxBasis
from billing.services.invoices.content import make_content, make_heading
from billing.services.invoices.telling import tell
from billing.services.statements.content import digest_of

Kind = Invoice.Kind
# The row stays locked until the commit: whoever waits for the next number holds nothing that this
# transaction still needs.
_NEXT: Final = """
INSERT INTO billing_invoiceseries AS series (name, last) VALUES (%s, 1)
ON CONFLICT (name) DO UPDATE SET last = series.last + 1
RETURNING last
"""


@dataclass(frozen=True, slots=True)
class Booked:
    """What was booked of a payment.

    Attributes:
        entry_key: Of the entry.
        reason: `top_up`, `refund`, `refund_failed`, `dispute` or `dispute_won`.
        amount_micros: All of it.
        tax_micros: Of that, tax.
        corrects_key: Of the entry that it takes back, if it does.
    """

    entry_key: str
    reason: str
    amount_micros: int
    tax_micros: int
    corrects_key: str = ""


def issue_invoice(payment: Payment, booked: Booked, *, kind: str, now: datetime) -> Invoice | None:
    """Issue an invoice, or a correction, under the next number of its series.

    Joins the caller's transaction, which has booked the entry: number, entry and credit exist
    together or not at all. A payment that is older than taxes has none. Mails the address that the
    billing profile names for invoices.
    """
    if payment.tax_basis == TaxBasis.UNKNOWN:
        return None
    corrects = Invoice.objects.filter(entry_key=booked.corrects_key).first()
    if corrects is None and booked.corrects_key:
        return None
    # What comes late for a closed month takes effect later than it came.
    effective_at = JournalEntry.objects.values_list("effective_at", flat=True).get(
        idempotency_key=booked.entry_key
    )
    net = booked.amount_micros - booked.tax_micros
    content = make_content(payment=payment, reason=booked.reason, amounts=(net, booked.tax_micros))
    series = series_of(payment, now=now)
    number = _next_number(series)
    content |= make_heading(
        series=series,
        number=number,
        kind=kind,
        corrects=str(corrects or ""),
        issued_at=now,
    )
    invoice = Invoice.objects.create(
        series_id=series,
        number=number,
        kind=kind,
        organization_id=payment.organization_id,
        payment=payment,
        corrects=corrects,
        entry_key=booked.entry_key,
        currency=payment.currency,
        net_micros=net,
        tax_micros=booked.tax_micros,
        tax_basis=payment.tax_basis,
        tax_country=payment.tax_country,
        tax_name=payment.tax_name,
        tax_rate=payment.tax_rate,
        content=content,
        digest=digest_of(content),
        effective_at=effective_at,
        issued_at=now,
    )
    tell(invoice, now=now)
    return invoice


def series_of(payment: Payment, *, now: datetime) -> str:
    """Return the series of a payment's invoices: a year of UTC, with a mark if no money moved."""
    year = f"{now.astimezone(UTC):%Y}"
    return f"TEST-{year}" if payment.is_sandbox else year


def _next_number(series: str) -> int:
    with connection.cursor() as cursor:
        cursor.execute(_NEXT, [series])
        [number] = cursor.fetchone()
    return int(number)
