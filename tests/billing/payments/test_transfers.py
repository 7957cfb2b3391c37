"""Bank transfers and unmatched money: one person asks, another decides."""

from datetime import date, timedelta
from typing import Any

import pytest
from django.db import IntegrityError, transaction

from billing.errors import (
    CurrencyMismatchError,
    InvalidAmountError,
    PaymentClosedError,
    ReferenceUsedError,
    SelfApprovalError,
)
from billing.models import JournalEntry, Payment, UnmatchedPayment
from billing.services.payments.sessions import look_at_assigned
from billing.services.payments.transfers import (
    Transfer,
    approve_payment,
    record_transfer,
    reject_payment,
)
from billing.services.payments.unmatched import assign_unmatched, dismiss_unmatched
from core.clock import now
from orgs.errors import InvalidInputError, PermissionDeniedError
from tests.billing.payments.payer import PESO, Payer
from tests.billing.scene import check_deferred
from tests.orgs.people import Person, person


@pytest.fixture
def finance(db) -> tuple[Person, Person]:
    return person(staff_role="finance"), person(staff_role="finance")


def ask(payer: Payer, who: Person, reference: str = "SPEI 1", **changes) -> Payment:
    fields = {
        "amount_micros": 750 * PESO,
        "currency": "MXN",
        "reference": reference,
        "received_on": (now() - timedelta(days=3)).date(),
        **changes,
    }
    return record_transfer(
        organization_id=payer.scene.organization_id,
        transfer=Transfer(**fields),
        actor=who.actor,
        now=now(),
    )


def test_a_transfer_is_credited_when_another_person_approves(payer: Payer, finance):
    first, second = finance
    payment = ask(payer, first, " SPEI  1 ")
    assert (payer.wallet(), payment.reference) == (0, "SPEI 1")
    with pytest.raises(SelfApprovalError):
        approve_payment(payment_id=payment.id, actor=first.actor, now=now())

    approve_payment(payment_id=payment.id, actor=second.actor, now=now())

    assert payer.lines("top_up") == [("cash", "debit", 750), ("wallet", "credit", 750)]
    entry = JournalEntry.objects.get(idempotency_key=f"top_up:payment:{payment.id}")
    assert entry.effective_at.date() == (now() - timedelta(days=3)).date()
    assert entry.booked_at > entry.effective_at
    for again in (approve_payment, lambda **k: reject_payment(reason="No.", **k)):
        with pytest.raises(PaymentClosedError):
            again(payment_id=payment.id, actor=second.actor, now=now())
    assert payer.team.log()[-2:] == ["payment.requested", "payment.approved"]
    check_deferred()
    assert payer.findings() == []


def test_the_database_refuses_one_pair_of_eyes(payer: Payer, finance):
    payment = ask(payer, finance[0])
    rows = Payment.objects.filter(id=payment.id)
    for decided_by in (payment.requested_by_id, None):
        with pytest.raises(IntegrityError, match="four_eyes"), transaction.atomic():
            rows.update(status="succeeded", ended_at=now(), decided_by=decided_by)


def test_a_reference_is_used_once_unless_it_was_turned_down(payer: Payer, finance):
    first, second = finance
    payment = ask(payer, first)
    with pytest.raises(ReferenceUsedError):
        ask(payer, second)

    reject_payment(payment_id=payment.id, reason="Not ours.", actor=second.actor, now=now())
    again = ask(payer, second)
    # Who asked may take it back.
    reject_payment(payment_id=again.id, reason="", actor=second.actor, now=now())

    codes = Payment.objects.filter(reference="SPEI 1").values_list("failure_code", flat=True)
    assert sorted(codes) == ["rejected", "withdrawn"]
    assert payer.wallet() == 0


def test_what_cannot_be_is_not_recorded(payer: Payer, finance):
    first = finance[0]
    for changes, error in (
        ({"amount_micros": 0}, InvalidAmountError),
        ({"currency": "USD"}, CurrencyMismatchError),
        ({"received_on": (now() + timedelta(days=2)).date()}, InvalidInputError),
        ({"received_on": date(26, 11, 20)}, InvalidInputError),
        ({"reference": " "}, InvalidInputError),
    ):
        with pytest.raises(error):
            ask(payer, first, **changes)
    for nobody in (payer.owner, person(staff_role="operator"), person()):
        with pytest.raises(PermissionDeniedError):
            ask(payer, nobody)
    payment = ask(payer, first)
    with pytest.raises(PermissionDeniedError):
        approve_payment(payment_id=payment.id, actor=payer.owner.actor, now=now())


def held_aside(payer: Payer) -> UnmatchedPayment:
    payment = payer.pay(500, is_told=False)
    intent = payer.intent_of_payment(payment)
    payer.emulator.change(intent, metadata={})
    payer.tell_all(intent)
    return UnmatchedPayment.objects.get(reference=intent)


def test_unmatched_money_is_assigned_by_two_people(payer: Payer, finance):
    first, second = finance
    held = held_aside(payer)
    how: Any = {"organization_id": payer.scene.organization_id, "note": "Ours."}
    turned_down = assign_unmatched(reference=held.reference, actor=first.actor, now=now(), **how)
    with pytest.raises(PaymentClosedError):
        dismiss_unmatched(reference=held.reference, note="x", actor=second.actor, now=now())
    # An event that comes meanwhile approves nothing.
    payer.tell_all(held.reference)
    assert payer.wallet() == 0
    reject_payment(payment_id=turned_down.id, reason="No.", actor=second.actor, now=now())

    payment = assign_unmatched(reference=held.reference, actor=second.actor, now=now(), **how)
    approve_payment(payment_id=payment.id, actor=first.actor, now=now())

    held.refresh_from_db()
    assert (held.status, payer.wallet()) == ("resolved", 500)
    assert payer.lines("top_up") == [("suspense", "debit", 500), ("wallet", "credit", 500)]
    # A later refund of it at Stripe takes it back.
    payer.emulator.refund(held.reference)
    payer.tell_all(held.reference)
    assert payer.wallet() == 0
    check_deferred()
    assert payer.findings() == []


@pytest.mark.parametrize(
    ("how", "back", "left"),
    [
        ("refunded", 200, 300),
        ("refunded", 500, 0),
        ("disputed", 500, 0),
    ],
)
def test_what_went_back_before_it_was_assigned_is_not_kept(payer, finance, how, back, left):
    first, second = finance
    held = held_aside(payer)
    payment = assign_unmatched(
        reference=held.reference,
        organization_id=payer.scene.organization_id,
        note="Ours.",
        actor=first.actor,
        now=now(),
    )
    # Its event finds no payment that it could take it from.
    if how == "refunded":
        payer.emulator.refund(held.reference, back * 100)
    else:
        payer.emulator.control("disputes", payment_intent=held.reference, amount=back * 100)
    payer.tell_all(held.reference)
    approve_payment(payment_id=payment.id, actor=second.actor, now=now())

    assert payer.wallet() == left
    look_at_assigned(now=now())
    assert payer.wallet() == left
    check_deferred()
    assert payer.findings() == []


def test_unmatched_money_can_be_paid_back(payer: Payer, finance):
    held = held_aside(payer)
    with pytest.raises(InvalidInputError):
        dismiss_unmatched(reference=held.reference, note=" ", actor=finance[0].actor, now=now())

    dismiss_unmatched(reference=held.reference, note="Wired.", actor=finance[0].actor, now=now())

    held.refresh_from_db()
    assert (held.status, held.note) == ("resolved", "Wired.")
    codes = JournalEntry.objects.filter(reference=held.reference).values_list(
        "postings__account__code", "postings__direction"
    )
    assert sorted(codes) == sorted(
        (code, side) for code in ("payment_clearing", "suspense") for side in ("credit", "debit")
    )
