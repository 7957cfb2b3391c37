"""Automatic top-ups: charged once, within the cap, and paused when they fail."""

import threading
from collections.abc import Callable
from typing import Any
from uuid import UUID

import pytest
from django.db import IntegrityError, connection, transaction

from billing.errors import InvalidAmountError, PaymentNotFoundError
from billing.models import (
    Account,
    AccountCode,
    AccountKind,
    AutoTopUp,
    Balance,
    Payment,
    PaymentCustomer,
    SavedCard,
)
from billing.services.accounts import account
from billing.services.payments.automatic import (
    Terms,
    remove_card,
    set_auto_top_up,
    stop_auto_top_up,
)
from billing.services.payments.charges import ask_again, begin_charge, charge_low_wallets
from core.clock import now
from orgs.models import AuditEvent, Mail, Organization
from orgs.services.signing import unseal
from tests.billing.payments.payer import PESO, Payer
from tests.billing.scene import check_deferred


def test_a_low_wallet_is_filled_up_to_the_cap_of_the_month(payer: Payer):
    payer.fill_by("ok", threshold=100, amount=300, cap=700)

    for _ in range(4):
        charge_low_wallets(now=now())
        if payer.wallet() >= 100:
            payer.scene.capture(payer.scene.authorize(350).reference, images=350)

    rows = payer.automatic()
    assert [(row.status, row.card_last4) for row in rows] == [("succeeded", "4242")] * 2
    assert payer.wallet() == 600 - 2 * 294
    # Its events come later, and are no news.
    for row in rows:
        payer.tell_all(row.reference)
    assert len(payer.lines("top_up")) == 4
    check_deferred()
    assert payer.findings() == []


def test_a_wallet_above_its_line_is_left_alone(payer: Payer):
    payer.scene.top_up(100 * PESO)
    payer.fill_by("ok", threshold=100)

    assert charge_low_wallets(now=now()) == 0

    payer.scene.authorize(1)
    assert charge_low_wallets(now=now()) == 1
    stop_auto_top_up(
        organization_id=payer.scene.organization_id, actor=payer.owner.actor, now=now()
    )
    assert charge_low_wallets(now=now()) == 0


@pytest.mark.parametrize("is_told_first", [False, True])
@pytest.mark.parametrize(
    ("card", "code"),
    [("declined", "card_declined"), ("authentication", "authentication_required")],
)
def test_a_refused_card_pauses_and_is_told_once(payer: Payer, card, code, is_told_first):
    payer.fill_by(card)
    if is_told_first:
        # The answer is lost: the event comes before it is asked for again.
        payer.emulator.control("courier", lost_answers=2)
    charge_low_wallets(now=now())
    if is_told_first:
        intent = payer.emulator.objects("payment_intent")[-1]["id"]
        payer.tell_all(intent, "payment_intent.payment_failed")
    charge_low_wallets(now=now())
    ask_again(now=now())

    (payment,) = payer.automatic()
    assert (payment.status, payment.failure_code) == ("failed", code)
    assert payer.terms().paused_at is not None
    assert payer.wallet() == 0
    mail = Mail.objects.get(organization_id=payer.scene.organization_id)
    assert mail.recipient == payer.owner.user.email
    text = unseal(bytes(mail.body))
    assert ("confirm" in text) == (card == "authentication")
    assert "300.00 MXN" in text

    payer.fill_again()
    assert payer.terms().paused_at is None


def test_a_lost_answer_is_asked_for_again_and_charged_once(payer: Payer):
    payer.fill_by("ok")
    before = len(payer.emulator.objects("charge"))
    payer.emulator.control("courier", lost_answers=1, failures=0)
    charge_low_wallets(now=now())
    payer.emulator.control("courier", failures=2)

    (payment,) = payer.automatic()
    payer.age(payment, 2)
    ask_again(now=now())
    ask_again(now=now())

    assert len(payer.emulator.objects("charge")) == before + 1
    assert payer.wallet() == 300


def test_an_outage_leaves_the_charge_to_the_next_look(payer: Payer):
    payer.fill_by("ok")
    payer.emulator.control("courier", failures=2)
    charge_low_wallets(now=now())
    (payment,) = payer.automatic()
    assert payment.status == "pending"
    assert charge_low_wallets(now=now()) == 0

    payer.age(payment, 2)
    assert ask_again(now=now()) == 1

    assert payer.wallet() == 300


def test_the_database_allows_one_charge_in_flight(payer: Payer):
    terms = payer.fill_by("ok")
    payment = begin_charge(organization_id=payer.scene.organization_id, now=now())
    assert payment is not None
    assert begin_charge(organization_id=payer.scene.organization_id, now=now()) is None

    payment.pk = None
    payment.card = terms.card
    with pytest.raises(IntegrityError, match="one_in_flight"), transaction.atomic():
        Payment(
            organization_id=payment.organization_id,
            kind="automatic",
            gross_micros=1,
            net_micros=1,
            currency="MXN",
            created_at=now(),
        ).save()


def _add_exhausted(count: int) -> None:
    """Add organizations whose wallets are low and whose month's cap is reached."""
    at, cap = now(), 300 * PESO
    rows = [Organization(id=UUID(int=number), name="x", currency="MXN") for number in range(count)]
    Organization.objects.bulk_create(rows)
    wallets = Account.objects.bulk_create(
        Account(
            id=account(AccountCode.WALLET, "MXN", row.id).id,
            code=AccountCode.WALLET,
            kind=AccountKind.LIABILITY,
            currency="MXN",
            organization=row,
        )
        for row in rows
    )
    Balance.objects.bulk_create(Balance(account=wallet) for wallet in wallets)
    cards = SavedCard.objects.bulk_create(
        SavedCard(organization=row, method_id=f"pm_{row.id}", created_at=at) for row in rows
    )
    AutoTopUp.objects.bulk_create(
        AutoTopUp(
            organization=row,
            card=card,
            is_enabled=True,
            threshold_micros=1,
            amount_micros=cap,
            monthly_cap_micros=cap,
            changed_at=at,
        )
        for row, card in zip(rows, cards, strict=True)
    )
    Payment.objects.bulk_create(
        Payment(
            organization=row,
            kind="automatic",
            status="succeeded",
            reference=f"pi_{row.id}",
            gross_micros=cap,
            net_micros=cap,
            currency="MXN",
            created_at=at,
            ended_at=at,
        )
        for row in rows
    )


def test_neither_reached_caps_nor_a_broken_payment_keep_others_waiting(payer: Payer, caplog):
    _add_exhausted(120)
    broken = [Payer.create(payer.emulator) for _ in range(2)]
    for one in broken:
        one.fill_by("ok")
        PaymentCustomer.objects.filter(organization_id=one.scene.organization_id).delete()
    payer.fill_by("ok")

    payer.emulator.control("courier", lost_answers=1, failures=0)
    assert charge_low_wallets(now=now()) == 1
    for one in (payer, *broken):
        [payment] = one.automatic()
        one.age(payment, 2)
    ask_again(now=now())

    assert payer.wallet() == 300
    assert {one.automatic()[0].status for one in broken} == {"pending"}
    assert caplog.text.count("payment.item_failed") == 2 * len(broken)


def test_suspended_and_closing_organizations_are_not_charged(payer: Payer):
    payer.fill_by("ok")
    rows = Organization.objects.filter(id=payer.scene.organization_id)
    rows.update(suspended_at=now())
    assert charge_low_wallets(now=now()) == 0

    rows.update(suspended_at=None)
    assert charge_low_wallets(now=now()) == 1


def test_terms_are_checked_and_logged_and_end_with_their_card(payer: Payer):
    terms = payer.fill_by("ok", cap=300)
    own: Any = {"organization_id": payer.scene.organization_id, "now": now()}
    other = Payer.create(payer.emulator).fill_by("ok")
    for bad, error in (
        (Terms(other.card_id, 1, 300 * PESO, 300 * PESO), PaymentNotFoundError),
        (Terms(terms.card_id, 0, 300 * PESO, 300 * PESO), InvalidAmountError),
        (Terms(terms.card_id, 1, 300 * PESO, 299 * PESO), InvalidAmountError),
        (Terms(terms.card_id, 1, 99 * PESO, 300 * PESO), InvalidAmountError),
    ):
        with pytest.raises(error):
            set_auto_top_up(terms=bad, actor=payer.owner.actor, **own)

    remove_card(card_id=terms.card_id, actor=payer.owner.actor, **own)

    assert not payer.terms().is_enabled
    charge_low_wallets(now=now())
    assert payer.automatic() == []
    log = AuditEvent.objects.filter(organization_id=payer.scene.organization_id)
    assert set(log.values_list("action", flat=True)) >= {"auto_top_up.changed", "card.removed"}


def _at_once(count: int, work: Callable[[], object]) -> None:
    barrier = threading.Barrier(count)

    def run() -> None:
        barrier.wait(10)
        try:
            work()
        finally:
            connection.close()

    threads = [threading.Thread(target=run) for _ in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)


def test_many_lookers_charge_once_and_never_beyond_the_cap(committed, emulator, settings):
    settings.FORBID_NETWORK_IN_TRANSACTION = True
    payer = Payer.create(emulator)
    payer.fill_by("ok", threshold=1_000, amount=300, cap=700)
    before = len(emulator.objects("charge"))

    for _ in range(4):
        _at_once(6, lambda: charge_low_wallets(now=now()))

    assert [row.status for row in payer.automatic()] == ["succeeded", "succeeded"]
    assert len(emulator.objects("charge")) == before + 2
    assert payer.wallet() == 600
    assert payer.findings() == []


def test_one_event_told_many_times_at_once_credits_once(committed, emulator, settings):
    settings.FORBID_NETWORK_IN_TRANSACTION = True
    payer = Payer.create(emulator)
    payment = payer.pay(500, is_told=False)
    events = emulator.events(payer.intent_of_payment(payment))
    answers: list[int] = []

    _at_once(6, lambda: answers.extend(payer.tell(event) for event in events))

    assert set(answers) == {200}
    assert payer.wallet() == 500
    assert payer.findings() == []
