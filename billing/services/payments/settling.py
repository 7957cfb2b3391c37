"""Make our books agree with what the payment provider says of a payment.

Whatever prompts it (an event, a duplicate, one out of order, the periodic look, a charge's own
answer), the payment intent is read as it is now, and what is missing here is booked in one
transaction, with the mark of the event. So the order in which events arrive means nothing.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import Final
from uuid import UUID

from django.db import transaction

from billing.models import (
    AccountCode,
    Direction,
    Invoice,
    Payment,
    PaymentCustomer,
    PaymentEvent,
    SavedCard,
)
from billing.services.accounts import account, open_accounts
from billing.services.invoices.issuing import Booked, issue_invoice
from billing.services.payments.amounts import to_minor
from billing.services.payments.failures import end_payment, fail_automatic
from billing.services.payments.refunds import apply_refunds
from billing.services.payments.stripe_api import CardFacts, IntentFacts
from billing.services.payments.unmatched import close_refunded, hold_aside
from billing.services.topups import book_top_up
from billing.services.transactions import retrying
from billing.types import Line
from orgs.models import Organization

SUCCEEDED: Final = "succeeded"
_OVER: Final = ("canceled", "requires_payment_method")
_BY_CARD: Final = (Payment.Kind.CHECKOUT, Payment.Kind.AUTOMATIC)
_WORDS: Final = {
    Payment.Kind.CHECKOUT: "card",
    Payment.Kind.AUTOMATIC: "card, automatic",
    Payment.Kind.TRANSFER: "bank transfer",
    Payment.Kind.ASSIGNED: "unmatched payment",
}


@dataclass(frozen=True, slots=True)
class EventMark:
    """The event that prompts a change, to be marked with it."""

    id: str
    type: str
    object_id: str
    digest: bytes


def mark_event(mark: EventMark | None, *, payment: Payment | None, now: datetime) -> bool:
    """Mark an event as applied, in the caller's transaction; return False if it was before."""
    if mark is None:
        return True
    _, is_new = PaymentEvent.objects.get_or_create(
        event_id=mark.id,
        defaults={
            "type": mark.type[:100],
            "object_id": mark.object_id,
            "digest": mark.digest,
            "payment": payment,
            "applied_at": now,
        },
    )
    return is_new


def settle_intent(intent: IntentFacts, *, now: datetime, mark: EventMark | None = None) -> None:
    """Book what an intent says and we do not have yet: the credit, refunds, a failure, a card.

    One transaction. What does not fit its payment is not credited but held aside for finance.
    """

    def work() -> None:
        with transaction.atomic():
            payment = _lock_payment(intent)
            if not mark_event(mark, payment=payment, now=now):
                return
            if intent.status == SUCCEEDED:
                _settle_paid(intent, payment, now)
            elif payment is not None and intent.status in _OVER:
                _settle_unpaid(intent, payment, now)

    retrying(work)


def credit_payment(
    payment: Payment, *, source: AccountCode, now: datetime, effective_at: datetime | None = None
) -> None:
    """Book a payment, invoice it, and end it as succeeded.

    Joins the caller's transaction, which locked it. Entry key: `top_up:payment:<id>`.

    Args:
        payment: With the reference that the entry is to have.
        source: Where the money is: the debited account of the platform.
        now: Booking time.
        effective_at: When the money came; `now` unless told.
    """
    open_accounts(organization_id=payment.organization_id, currency=payment.currency)
    entry_key = f"top_up:payment:{payment.id}"
    book_top_up(
        organization_id=payment.organization_id,
        idempotency_key=entry_key,
        received=Line(account(source, payment.currency), Direction.DEBIT, payment.gross_micros),
        tax_micros=payment.tax_micros,
        reference=payment.reference,
        description=f"Top-up ({_WORDS[Payment.Kind(payment.kind)]})",
        now=now,
        effective_at=effective_at,
    )
    payment.status, payment.failure_code = Payment.Status.SUCCEEDED, ""
    payment.ended_at, payment.received_at = now, effective_at or now
    payment.save()
    issue_invoice(
        payment,
        Booked(entry_key, "top_up", payment.gross_micros, payment.tax_micros),
        kind=Invoice.Kind.INVOICE,
        now=now,
    )


def _lock_payment(intent: IntentFacts) -> Payment | None:
    """Find the payment of an intent: the one that it was booked for, else the one it names."""
    rows = Payment.objects.select_for_update()
    found = rows.filter(reference=intent.id, status=SUCCEEDED).first()
    if found is None and intent.payment_id is not None:
        found = rows.filter(id=intent.payment_id, kind__in=_BY_CARD).first()
    return found


def _settle_paid(intent: IntentFacts, payment: Payment | None, now: datetime) -> None:
    if payment is None or payment.status != SUCCEEDED or payment.reference != intent.id:
        reason = _mismatch(intent, payment)
        if payment is None or reason:
            hold_aside(intent, reason=reason, now=now)
            close_refunded(intent, now=now)
            if payment is not None and payment.status == Payment.Status.PENDING:
                end_payment(payment, status=Payment.Status.FAILED, code="mismatch", now=now)
            return
        payment.reference = intent.id
        _keep_card(intent.card, payment, now)
        credit_payment(payment, source=AccountCode.PAYMENT_CLEARING, now=now)
    apply_refunds(payment, intent.refunds, now=now)


def _settle_unpaid(intent: IntentFacts, payment: Payment, now: datetime) -> None:
    """End an automatic payment. In a checkout the customer may try another card."""
    if payment.status == Payment.Status.PENDING and payment.kind == Payment.Kind.AUTOMATIC:
        code = intent.failure_code or "card_declined"
        fail_automatic(payment.id, code, now=now)


def _mismatch(intent: IntentFacts, payment: Payment | None) -> str:
    """Return why money is not what the payment asked for; empty if it is."""
    if payment is None:
        return "unknown_payment"
    if payment.status == SUCCEEDED:
        return "paid_twice"
    if intent.organization_id != payment.organization_id or not _is_customer(
        intent.customer_id, payment.organization_id
    ):
        return "organization"
    currency = Organization.objects.values_list("currency", flat=True).get(
        id=payment.organization_id
    )
    if intent.currency != payment.currency or currency != payment.currency:
        return "currency"
    if intent.received != to_minor(payment.gross_micros, payment.currency):
        return "amount"
    return "mode" if intent.livemode == payment.is_sandbox else ""


def _is_customer(customer_id: str, organization_id: UUID) -> bool:
    return PaymentCustomer.objects.filter(
        organization_id=organization_id, customer_id=customer_id
    ).exists()


def _keep_card(card: CardFacts | None, payment: Payment, now: datetime) -> None:
    if card is None:
        return
    payment.card_brand, payment.card_last4 = card.brand, card.last4
    if payment.saves_card:
        SavedCard.objects.get_or_create(
            method_id=card.method_id,
            defaults={
                "organization_id": payment.organization_id,
                "brand": card.brand,
                "last4": card.last4,
                "expires_month": card.expires_month,
                "expires_year": card.expires_year,
                "created_at": now,
            },
        )
