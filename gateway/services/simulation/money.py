"""What happens to wallets beside images: money in and out, refunds, adjustments."""

from datetime import datetime, timedelta
from functools import partial
from typing import Final
from uuid import UUID

from django.db import transaction

from billing.errors import InsufficientBalanceError
from billing.money import MICROS_PER_UNIT
from billing.selectors.refunds.charges import find_charge
from billing.services.credits.expiring import expire_grants
from billing.services.credits.granting import GrantTerms, approve_grant, request_grant
from billing.services.payments.transfers import (
    Transfer,
    approve_payment,
    record_transfer,
    reject_payment,
)
from billing.services.payments.unmatched import assign_unmatched, dismiss_unmatched
from billing.services.refunds.adjustments import (
    WalletChange,
    approve_adjustment,
    ask_adjustment,
    decline_adjustment,
)
from billing.services.refunds.approving import approve_refund
from billing.services.refunds.asking import ask_refund, decline_refund
from billing.services.simulation import cards
from core.ids import new_uuid
from gateway.services.simulation.world import Customer, World
from orgs.services.audit import SYSTEM
from orgs.services.lifecycle import resume

DAY: Final = 24


def add_by_card(world: World, customer: Customer, now: datetime) -> None:
    """Add money by card, and perhaps let what may become of it follow."""
    units = customer.top_up // MICROS_PER_UNIT
    micros = world.chance.randint(units // 2, units * 2) * MICROS_PER_UNIT
    card = cards.pay(customer.id, net_micros=micros, now=now)
    customer.cards.append(card)
    world.done["payments by card"] += 1
    if world.happens(20):
        world.plan(world.soon(now, hours=5 * DAY), partial(_pay_back, world, card))
    elif world.happens(15):
        world.plan(world.soon(now, hours=5 * DAY), partial(_dispute, world, customer, card))


def _pay_back(world: World, card: cards.PlayedCard, now: datetime) -> None:
    amount = world.chance.randint(1, max(1, card.refundable // 3))
    cards.pay_back(card, amount=amount, now=now)
    world.done["payments paid back"] += 1
    if world.happens(30):
        world.plan(world.soon(now, hours=2 * DAY), lambda at: cards.fail_last_refund(card, now=at))


def _dispute(world: World, customer: Customer, card: cards.PlayedCard, now: datetime) -> None:
    cards.dispute(card, now=now)
    customer.suspended = True
    world.done["disputes"] += 1
    world.plan(world.soon(now, hours=4 * DAY), partial(_end_dispute, world, customer, card))


def _end_dispute(world: World, customer: Customer, card: cards.PlayedCard, now: datetime) -> None:
    is_won = world.happens(50)
    cards.end_dispute(card, is_won=is_won, now=now)
    resume(organization_id=customer.id, reason="The dispute is over.", actor=SYSTEM)
    customer.suspended = False


def add_by_transfer(world: World, customer: Customer, now: datetime) -> None:
    """Record a bank transfer; another person approves or turns it down."""
    units = customer.top_up // MICROS_PER_UNIT
    transfer = Transfer(
        amount_micros=world.chance.randint(units, units * 3) * MICROS_PER_UNIT
        + world.chance.randrange(100) * MICROS_PER_UNIT // 100,
        currency=customer.organization.currency,
        reference=f"SIM {new_uuid().hex[:12]}",
        received_on=now.date(),
    )
    payment = record_transfer(
        organization_id=customer.id, transfer=transfer, actor=world.asking, now=now
    )
    world.done["transfers"] += 1
    later = world.soon(now, hours=DAY)
    if world.happens(15):
        world.plan(
            later,
            lambda at: reject_payment(
                payment_id=payment.id, reason="Not ours.", actor=world.deciding, now=at
            ),
        )
        return
    world.plan(
        later,
        lambda at: approve_payment(payment_id=payment.id, actor=world.deciding, now=at),
    )


def add_strangely(world: World, customer: Customer, now: datetime) -> None:
    """Let money come that fits no payment; it is assigned, paid back, or stays aside."""
    micros = world.chance.randint(5, 50) * MICROS_PER_UNIT
    reference = cards.pay_strangely(customer.id, micros=micros, now=now)
    world.done["unmatched payments"] += 1
    later = world.soon(now, hours=DAY)
    if world.happens(50):
        world.plan(later, partial(_assign, world, customer, reference))
    elif world.happens(60):
        world.plan(
            later,
            lambda at: dismiss_unmatched(
                reference=reference, note="Paid back.", actor=world.asking, now=at
            ),
        )


def _assign(world: World, customer: Customer, reference: str, now: datetime) -> None:
    payment = assign_unmatched(
        reference=reference,
        organization_id=customer.id,
        note="Theirs.",
        actor=world.asking,
        now=now,
    )
    world.plan(
        world.soon(now, hours=DAY),
        lambda at: approve_payment(payment_id=payment.id, actor=world.deciding, now=at),
    )


def promise_credit(world: World, customer: Customer, now: datetime) -> None:
    """Ask for promotional credit that expires soon; another person approves it."""
    terms = GrantTerms(
        amount_micros=world.chance.randint(1, customer.top_up // 200),
        currency=customer.organization.currency,
        expires_at=now + timedelta(days=world.chance.randint(2, 12)),
        reason="Simulated.",
    )
    grant = request_grant(organization_id=customer.id, terms=terms, actor=world.asking, now=now)
    world.plan(
        world.soon(now, hours=DAY),
        lambda at: approve_grant(grant_id=grant.id, actor=world.deciding, now=at),
    )
    world.done["grants of credit"] += 1


def let_credit_expire(world: World, now: datetime) -> None:
    """Let credit expire that is past its time, as the sweeper does."""
    world.done["grants that expired"] += expire_grants(now=now)


def refund_images(world: World, customer: Customer, now: datetime) -> None:
    """Ask for some images of a request; another person approves or declines."""
    if not customer.charged:
        return
    charge = find_charge(reference=world.chance.choice(customer.charged))
    if charge is None or not charge.refundable:
        return
    most = len(charge.refundable)
    images = world.chance.sample(charge.refundable, world.chance.randint(1, most))
    refund = ask_refund(
        reference=charge.reference,
        artifacts=[one.artifact for one in images],
        reason="Not what was asked for.",
        actor=world.asking,
        now=now,
    )
    world.plan(world.soon(now, hours=2 * DAY), partial(_decide_refund, world, refund.id))


def _decide_refund(world: World, refund_id: UUID, now: datetime) -> None:
    if world.happens(20):
        decline_refund(refund_id=refund_id, note="It is fine.", actor=world.deciding, now=now)
        return
    approve_refund(refund_id=refund_id, actor=world.deciding, now=now)
    world.done["refunds"] += 1


def adjust_wallet(world: World, customer: Customer, now: datetime) -> None:
    """Ask for a credit or debit; another person approves it, or declines what is too much."""
    change = WalletChange(
        direction=world.chance.choice(("credit", "debit")),
        amount_micros=world.chance.randint(1, customer.top_up // 20),
        currency=customer.organization.currency,
        reason="Simulated.",
    )
    row = ask_adjustment(organization_id=customer.id, change=change, actor=world.asking, now=now)
    world.plan(world.soon(now, hours=DAY), partial(_decide_adjustment, world, row.id))


def _decide_adjustment(world: World, adjustment_id: UUID, now: datetime) -> None:
    try:
        with transaction.atomic():
            approve_adjustment(adjustment_id=adjustment_id, actor=world.deciding, now=now)
    except InsufficientBalanceError:
        decline_adjustment(
            adjustment_id=adjustment_id, note="Too much.", actor=world.deciding, now=now
        )
        return
    world.done["adjustments"] += 1
