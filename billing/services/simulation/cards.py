"""Payments by card without a card: what the payment provider would tell is made up here.

Everything that is booked is booked by the services that its true words reach.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Final
from uuid import UUID

from billing.models import Payment, PaymentCustomer
from billing.services.payments.amounts import to_minor
from billing.services.payments.checkout import Wanted, commit_payment
from billing.services.payments.disputes import settle_dispute
from billing.services.payments.settling import settle_intent
from billing.services.payments.stripe_api import DisputeFacts, IntentFacts, RefundFacts
from billing.services.taxes.amounts import add_tax
from core.ids import new_uuid
from orgs.models import Organization
from orgs.services.audit import SYSTEM

PAID: Final = "succeeded"


@dataclass(slots=True)
class PlayedCard:
    """A payment that succeeded, and what the payment provider says of it by now."""

    intent: IntentFacts
    organization_id: UUID
    refunds: list[RefundFacts] = field(default_factory=list)
    dispute: DisputeFacts | None = None

    @property
    def refundable(self) -> int:
        """Return what is not paid back yet, in minor units."""
        back = sum(one.amount for one in self.refunds if one.status != "failed")
        return self.intent.received - back


def pay(organization_id: UUID, *, net_micros: int, now: datetime) -> PlayedCard:
    """Add money by card: the customer agrees to the total, and the payment succeeds."""
    organization = Organization.objects.get(id=organization_id)
    gross = add_tax(organization, net_micros, at=now).gross_micros
    wanted = Wanted(net_micros=net_micros, seen_micros=gross)
    payment, _ = commit_payment(organization_id, wanted, SYSTEM, now)
    card = PlayedCard(_intent(payment, organization_id), organization_id)
    settle_intent(card.intent, now=now)
    return card


def pay_strangely(organization_id: UUID, *, micros: int, now: datetime) -> str:
    """Pay an amount that names no payment of ours; return its reference. It is held aside."""
    organization = Organization.objects.get(id=organization_id)
    amount = to_minor(micros, organization.currency)
    intent = IntentFacts(
        id=f"pi_{new_uuid().hex}",
        status=PAID,
        amount=amount,
        received=amount,
        currency=organization.currency,
        livemode=True,
        customer_id="",
        payment_id=None,
        organization_id=organization_id,
        failure_code="",
        card=None,
        refunds=(),
    )
    settle_intent(intent, now=now)
    return intent.id


def pay_back(card: PlayedCard, *, amount: int, now: datetime) -> None:
    """Refund some minor units of a payment at the payment provider."""
    card.refunds.append(RefundFacts(f"re_{new_uuid().hex}", amount, PAID))
    _tell(card, card.refunds, now)


def fail_last_refund(card: PlayedCard, *, now: datetime) -> None:
    """Let the last refund of a payment fail: its money comes back."""
    card.refunds[-1] = replace(card.refunds[-1], status="failed")
    _tell(card, card.refunds, now)


def dispute(card: PlayedCard, *, now: datetime) -> None:
    """Contest a payment: what is not refunded of it is taken, and its organization suspended."""
    card.dispute = DisputeFacts(
        id=f"dp_{new_uuid().hex}",
        intent_id=card.intent.id,
        amount=card.refundable,
        currency=card.intent.currency,
        status="needs_response",
        reason="fraudulent",
    )
    settle_dispute(card.dispute, now=now)


def end_dispute(card: PlayedCard, *, is_won: bool, now: datetime) -> None:
    """End a dispute, won or lost."""
    if card.dispute is not None:
        settle_dispute(replace(card.dispute, status="won" if is_won else "lost"), now=now)


def _intent(payment: Payment, organization_id: UUID) -> IntentFacts:
    customer, _ = PaymentCustomer.objects.get_or_create(
        organization_id=organization_id, defaults={"customer_id": f"cus_{organization_id.hex}"}
    )
    amount = to_minor(payment.gross_micros, payment.currency)
    return IntentFacts(
        id=f"pi_{payment.id.hex}",
        status=PAID,
        amount=amount,
        received=amount,
        currency=payment.currency,
        livemode=not payment.is_sandbox,
        customer_id=customer.customer_id,
        payment_id=payment.id,
        organization_id=organization_id,
        failure_code="",
        card=None,
        refunds=(),
    )


def _tell(card: PlayedCard, refunds: Sequence[RefundFacts], now: datetime) -> None:
    settle_intent(replace(card.intent, refunds=tuple(refunds)), now=now)
