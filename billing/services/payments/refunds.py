"""Payments that were paid back at the payment provider."""

from collections.abc import Iterable
from datetime import datetime
from typing import Final

from billing.models import (
    AccountCode,
    Direction,
    EntryKind,
    Invoice,
    Payment,
    PaymentRefund,
)
from billing.services.accounts import account
from billing.services.invoices.issuing import Booked, issue_invoice
from billing.services.ledger import post_entry
from billing.services.payments.amounts import from_minor
from billing.services.payments.stripe_api import RefundFacts
from billing.services.taxes.shares import share_of_tax
from billing.services.topups import credit_lines, debit_lines
from billing.types import Line

# A pending refund has left Stripe's balance already; one that fails comes back to it
# (docs.stripe.com/refunds, read 2026-11).
_BOOKED: Final = ("succeeded", "pending")
_FAILED: Final = ("failed", "canceled")
Status = PaymentRefund.Status


def apply_refunds(payment: Payment, refunds: Iterable[RefundFacts], *, now: datetime) -> None:
    """Book the refunds of a credited payment that are not booked yet, and those that failed.

    Joins the caller's transaction, which locked the payment. The wallet gives what is available;
    the rest is owed; tax goes back in proportion, and a correction of the invoice says so. A refund
    that failed is credited and invoiced again.
    """
    known = {row.refund_id: row for row in PaymentRefund.objects.filter(payment=payment)}
    for refund in refunds:
        row = known.get(refund.id)
        if row is None and refund.status in _BOOKED:
            _book(payment, refund, now)
        elif row is not None and row.status == Status.BOOKED and refund.status in _FAILED:
            _take_back(payment, row, now)


def _book(payment: Payment, refund: RefundFacts, now: datetime) -> None:
    micros = from_minor(refund.amount, payment.currency)
    tax = share_of_tax(payment, micros)
    lines = debit_lines(
        organization_id=payment.organization_id,
        currency=payment.currency,
        micros=micros - tax,
        tax_micros=tax,
    )
    clearing = account(AccountCode.PAYMENT_CLEARING, payment.currency)
    entry_key = f"payment_refund:{refund.id}"
    post_entry(
        kind=EntryKind.PAYMENT_REFUND,
        idempotency_key=entry_key,
        lines=[*lines, Line(clearing, Direction.CREDIT, micros)],
        now=now,
        reference=payment.reference,
        description="Payment refunded",
    )
    PaymentRefund.objects.create(
        refund_id=refund.id,
        payment=payment,
        amount_micros=micros,
        tax_micros=tax,
        created_at=now,
    )
    _add(payment, micros)
    issue_invoice(
        payment,
        Booked(entry_key, "refund", micros, tax, corrects_key=f"top_up:payment:{payment.id}"),
        kind=Invoice.Kind.CORRECTION,
        now=now,
    )


def _take_back(payment: Payment, row: PaymentRefund, now: datetime) -> None:
    micros = row.amount_micros
    clearing = account(AccountCode.PAYMENT_CLEARING, payment.currency)
    lines = [
        Line(clearing, Direction.DEBIT, micros),
        *credit_lines(
            organization_id=payment.organization_id,
            currency=payment.currency,
            micros=micros - row.tax_micros,
            tax_micros=row.tax_micros,
        ),
    ]
    entry_key = f"payment_refund_failed:{row.refund_id}"
    post_entry(
        kind=EntryKind.PAYMENT_REFUND,
        idempotency_key=entry_key,
        lines=lines,
        now=now,
        reference=payment.reference,
        description="Refund that failed",
    )
    row.status = Status.FAILED
    row.save(update_fields=["status"])
    _add(payment, -micros)
    booked = Booked(
        entry_key,
        "refund_failed",
        micros,
        row.tax_micros,
        corrects_key=f"payment_refund:{row.refund_id}",
    )
    issue_invoice(payment, booked, kind=Invoice.Kind.INVOICE, now=now)


def _add(payment: Payment, micros: int) -> None:
    payment.refunded_micros += micros
    payment.save(update_fields=["refunded_micros"])
