"""Payments by card: what is credited, and every event that must not credit anything."""

import hashlib
import hmac
import json
import time
from datetime import timedelta
from typing import Any

import pytest

from billing.errors import InvalidAmountError, PaymentsUnavailableError
from billing.models import JournalEntry, Payment, PaymentEvent, SavedCard, UnmatchedPayment
from billing.services.accounts import change_currency
from billing.services.payments.checkout import Wanted, start_checkout
from billing.services.payments.sessions import reconcile_sessions
from core.clock import now
from orgs.errors import CurrencyFixedError, PermissionDeniedError
from tests.billing.payments.payer import PESO, PLACES, Payer
from tests.billing.scene import check_deferred


def test_a_payment_is_credited_once_when_stripe_says_so_and_not_before(payer: Payer):
    started = payer.start(500)
    assert payer.wallet() == 0

    payer.emulator.press_pay(started.url)
    assert payer.wallet() == 0
    intent = payer.intent_of(started)
    for _ in range(3):
        payer.tell_all(intent)

    payment = Payment.objects.get(id=started.payment_id)
    assert (payment.status, payment.reference, payment.card_last4) == ("succeeded", intent, "4242")
    assert payment.is_sandbox
    assert payer.wallet() == 500
    assert payer.lines("top_up") == [
        ("payment_clearing", "debit", 500),
        ("wallet", "credit", 500),
    ]
    assert PaymentEvent.objects.filter(payment=payment).count() == 2
    assert not SavedCard.objects.filter(organization_id=payer.scene.organization_id).exists()
    check_deferred()
    assert payer.findings() == []


def test_a_lost_webhook_still_credits(payer: Payer):
    payment = payer.pay(200, is_told=False)
    reconcile_sessions(now=now())
    assert payer.wallet() == 0

    payer.age(payment, 3)
    reconcile_sessions(now=now())
    reconcile_sessions(now=now())

    assert payer.wallet() == 200


def test_sessions_that_cannot_be_read_keep_none_waiting(payer: Payer):
    lost = Payment.objects.get(id=payer.start().payment_id)
    Payment.objects.filter(id=lost.id).update(session_id="cs_of_another_account")
    payer.age(lost, 9)
    # Not started yet, for all we know: nothing is read of them.
    Payment.objects.bulk_create(
        Payment(
            organization_id=payer.scene.organization_id,
            kind="checkout",
            gross_micros=1,
            net_micros=1,
            currency="MXN",
            created_at=now() - timedelta(minutes=8),
        )
        for _ in range(250)
    )
    payer.age(payer.pay(200, is_told=False), 3)

    assert reconcile_sessions(now=now()) == 1

    assert payer.wallet() == 200
    lost.refresh_from_db()
    assert lost.status == "pending"


def test_a_session_that_expired_ends_its_payment(payer: Payer):
    started = payer.start()
    payment = Payment.objects.get(id=started.payment_id)
    payer.emulator.change(payment.session_id, status="expired")
    event = payer.emulator.control(
        "events", type="checkout.session.expired", object=payment.session_id
    )

    signed = payer.emulator.events(payment.session_id)[-1]
    assert signed["id"] == event["id"]
    assert payer.tell(signed) == 200

    payment.refresh_from_db()
    assert (payment.status, payment.failure_code) == ("canceled", "expired")


def test_a_declined_card_leaves_the_payment_open_for_another(payer: Payer):
    started = payer.start(300)
    assert "declined" in payer.emulator.press_decline(started.url)
    payer.tell_all(payer.intent_of(started))
    assert Payment.objects.get(id=started.payment_id).status == "pending"

    payer.emulator.press_pay(started.url)
    payer.tell_all(payer.intent_of(started))

    assert payer.wallet() == 300


def _resigned(payer: Payer, event: dict[str, str], **changes: object) -> dict[str, str]:
    body = json.dumps({**json.loads(event["body"]), **changes})
    return {"body": body, "signature": payer.emulator.sign(body)}


def test_forged_events_are_refused(payer: Payer):
    payment = payer.pay(500, is_told=False)
    intent = payer.intent_of_payment(payment)
    event = payer.emulator.events(intent)[0]
    digest = hmac.new(b"another secret", event["body"].encode(), hashlib.sha256).hexdigest()
    changed = event["body"].replace(intent, "pi_other")

    assert payer.tell(event, signature=f"t={int(time.time())},v1={digest}") == 400
    assert payer.tell(event, signature="") == 400
    assert payer.tell(event, body=changed) == 400
    old = payer.emulator.sign(event["body"], at=int(time.time()) - 301)
    assert payer.tell(event, signature=old) == 400
    # Whoever has the secret can sign, but Stripe knows no such event.
    assert payer.tell(_resigned(payer, event, id="evt_invented")) == 400
    for body in ("", "[]", "{}", '{"id": 7}', "\x00"):
        assert payer.tell({"body": body, "signature": payer.emulator.sign(body)}) == 400

    assert payer.wallet() == 0
    assert not PaymentEvent.objects.filter(payment=payment).exists()


def test_what_a_signed_body_claims_beside_its_id_means_nothing(payer: Payer):
    other = payer.start(900)
    payment = payer.pay(100, is_told=False)
    event = payer.emulator.events(payer.intent_of_payment(payment), "payment_intent")[0]
    claimed = json.loads(event["body"])["data"]
    claimed["object"]["metadata"]["payment"] = str(other.payment_id)
    claimed["object"]["amount_received"] = 90_000

    assert payer.tell(_resigned(payer, event, data=claimed)) == 200

    assert payer.wallet() == 100
    assert Payment.objects.get(id=other.payment_id).status == "pending"


def test_unknown_events_are_taken_and_change_nothing(payer: Payer):
    payment = payer.pay(100, is_told=False)
    intent = payer.emulator.objects("payment_intent")[-1]
    customer = intent["customer"]
    # Of a kind that is none of ours, though about the session; and of ours, about something else.
    for kind, about in (("invoice.paid", payment.session_id), ("charge.exotic", customer)):
        payer.emulator.control("events", type=kind, object=about)
        assert payer.tell(payer.emulator.events(about)[-1]) == 200

    assert payer.wallet() == 0
    assert not PaymentEvent.objects.filter(object_id__in=(payment.session_id, customer)).exists()


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        ({"amount_received": 49_999}, "amount"),
        ({"currency": "usd"}, "currency"),
        ({"currency": "zzz"}, "currency"),
        ({"customer": "cus_another"}, "organization"),
        ({"livemode": True}, "mode"),
        ({"metadata": {}}, "unknown_payment"),
    ],
)
def test_what_does_not_fit_is_not_credited_but_held_aside(payer: Payer, fields, reason):
    payment = payer.pay(500, is_told=False)
    intent = payer.intent_of_payment(payment)
    payer.emulator.change(intent, **fields)

    payer.tell_all(intent)
    payer.tell_all(intent)

    assert payer.wallet() == 0
    held = UnmatchedPayment.objects.get(reference=intent)
    assert (held.reason, held.status) == (reason, "open")
    entries = JournalEntry.objects.filter(idempotency_key=f"unmatched:{intent}")
    assert entries.count() == (fields.get("currency") != "zzz")
    status = Payment.objects.get(id=payment.id).status
    assert status == ("pending" if reason == "unknown_payment" else "failed")
    check_deferred()
    assert payer.findings() == []


def test_another_organization_is_not_credited(payer: Payer):
    other = Payer.create(payer.emulator)
    theirs = other.start(500)
    payment = payer.pay(500, is_told=False)
    intent = payer.intent_of_payment(payment)
    own = {"organization": str(payer.scene.organization_id)}
    payer.emulator.change(intent, metadata={**own, "payment": str(theirs.payment_id)})

    payer.tell_all(intent)

    assert (payer.wallet(), other.wallet()) == (0, 0)
    assert UnmatchedPayment.objects.get(reference=intent).reason == "organization"


def test_a_second_intent_of_one_payment_is_held_aside(payer: Payer):
    first, second = payer.pay(500), payer.pay(500, is_told=False)
    intent = payer.intent_of_payment(second)
    own = {"organization": str(payer.scene.organization_id), "payment": str(first.id)}
    payer.emulator.change(intent, metadata=own)

    payer.tell_all(intent)

    assert payer.wallet() == 500
    assert UnmatchedPayment.objects.get(reference=intent).reason == "paid_twice"


def test_unmatched_money_that_is_paid_back_resolves_itself(payer: Payer):
    payment = payer.pay(500, is_told=False)
    intent = payer.intent_of_payment(payment)
    payer.emulator.change(intent, metadata={})
    payer.tell_all(intent)

    payer.emulator.refund(intent)
    payer.tell_all(intent)

    held = UnmatchedPayment.objects.get(reference=intent)
    assert held.status == "resolved"
    assert JournalEntry.objects.filter(reference=intent).count() == 2


def test_an_outage_of_stripe_changes_nothing_and_is_told_so(payer: Payer):
    payment = payer.pay(500, is_told=False)
    event = payer.emulator.events(payer.intent_of_payment(payment))[0]
    payer.emulator.control("courier", failures=2)

    assert payer.tell(event) == 503
    assert payer.wallet() == 0
    assert payer.tell(event) == 200
    assert payer.wallet() == 500


def test_a_payment_that_cannot_be_started_fails(payer: Payer, settings):
    payer.emulator.control("courier", failures=2)
    with pytest.raises(PaymentsUnavailableError):
        payer.start()
    row = Payment.objects.get(organization_id=payer.scene.organization_id)
    assert (row.status, row.failure_code) == ("failed", "unavailable")

    for micros in (99 * PESO, 200_001 * PESO, 100 * PESO + 1):
        with pytest.raises(InvalidAmountError):
            _start(payer, payer.owner.actor, micros)
    with pytest.raises(PermissionDeniedError):
        _start(payer, payer.team.person("developer").actor, 500 * PESO)
    settings.STRIPE_SECRET_KEY = ""
    with pytest.raises(PaymentsUnavailableError):
        payer.start()
    assert Payment.objects.filter(organization_id=payer.scene.organization_id).count() == 1


def _start(payer: Payer, actor, micros: int) -> None:
    start_checkout(
        organization_id=payer.scene.organization_id,
        wanted=Wanted(micros),
        places=PLACES,
        actor=actor,
        now=now(),
    )


def test_yen_are_paid_without_minor_units(db, emulator):
    payer = Payer.create(emulator, currency="JPY", rate="150")
    payer.pay(2_000)

    assert payer.wallet() == 2_000
    assert emulator.objects("payment_intent")[-1]["amount"] == 2_000


def test_what_is_owed_is_paid_before_the_wallet(payer: Payer):
    payment = payer.pay(500)
    payer.scene.capture(payer.scene.authorize(500).reference, images=500)
    payer.emulator.refund(payment.reference)
    payer.tell_all(payment.reference)
    assert (payer.wallet(), payer.owes()) == (0, 420)

    payer.scene.top_up(100 * PESO, "first")
    payer.pay(400)
    payer.scene.top_up(100 * PESO, "first")

    assert (payer.wallet(), payer.owes()) == (80, 0)
    check_deferred()
    assert payer.findings() == []


def test_the_currency_stays_while_something_is_being_paid(db, emulator):
    payer = Payer.create(emulator)
    started = payer.start(500)
    change: Any = {
        "organization_id": payer.scene.organization_id,
        "currency": "EUR",
        "has_quotes": False,
        "actor": payer.owner.actor,
    }
    with pytest.raises(CurrencyFixedError):
        change_currency(**change)

    Payment.objects.filter(id=started.payment_id).update(status="canceled", ended_at=now())
    assert change_currency(**change).currency == "EUR"
