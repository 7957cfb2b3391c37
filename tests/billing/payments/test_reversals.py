"""Refunds and disputes: in whatever order they are told, with and without money left."""

from billing.models import Dispute, Payment
from orgs.models import Organization
from tests.billing.payments.payer import Payer
from tests.billing.scene import UNIT, check_deferred


def is_suspended(payer: Payer) -> bool:
    organization = Organization.objects.get(id=payer.scene.organization_id)
    return organization.suspended_at is not None


def test_a_refund_takes_from_the_wallet_once(payer: Payer):
    payment = payer.pay(500)
    payer.emulator.refund(payment.reference, 20_000)
    payer.tell_all(payment.reference)
    payer.tell_all(payment.reference)
    assert payer.wallet() == 300

    payer.emulator.refund(payment.reference)
    payer.tell_all(payment.reference, "charge.refunded")

    payment.refresh_from_db()
    assert payment.refunded_micros == payment.gross_micros
    assert payer.wallet() == 0
    assert payer.lines("payment_refund") == [
        ("wallet", "debit", 200),
        ("payment_clearing", "credit", 200),
        ("wallet", "debit", 300),
        ("payment_clearing", "credit", 300),
    ]
    check_deferred()
    assert payer.findings() == []


def test_a_refund_that_is_told_before_the_payment_books_both(payer: Payer):
    payment = payer.pay(500, is_told=False)
    intent = payer.intent_of_payment(payment)
    payer.emulator.refund(intent, 10_000)

    payer.tell_all(intent, "charge.refunded")
    assert payer.wallet() == 400

    payer.tell_all(intent)
    assert payer.wallet() == 400
    assert payer.lines("top_up") == [("payment_clearing", "debit", 500), ("wallet", "credit", 500)]


def test_a_refund_leaves_what_is_set_aside_and_the_rest_is_owed(payer: Payer):
    payment = payer.pay(100)
    hold = payer.scene.authorize(100)

    payer.emulator.refund(payment.reference)
    payer.tell_all(payment.reference)

    posted, held = payer.scene.balance()
    assert (posted, held) == (100 * UNIT, 100 * UNIT)
    assert payer.owes() == 84
    payer.scene.capture(hold.reference, images=100)
    check_deferred()
    assert payer.findings() == []


def test_a_refund_that_failed_is_credited_again(payer: Payer):
    payment = payer.pay(500)
    refund = payer.emulator.refund(payment.reference)
    payer.tell_all(payment.reference)
    payer.emulator.control(f"refunds/{refund['id']}", status="failed")

    payer.tell_all(payment.reference)
    payer.tell_all(payment.reference)

    payment.refresh_from_db()
    assert (payer.wallet(), payment.refunded_micros) == (500, 0)
    check_deferred()
    assert payer.findings() == []


def test_a_dispute_takes_what_is_there_and_suspends_and_a_won_one_is_mirrored(payer: Payer):
    payment = payer.pay(500)
    payer.scene.capture(payer.scene.authorize(250).reference, images=250)
    dispute = payer.emulator.control("disputes", payment_intent=payment.reference)

    payer.tell_all(payment.reference)
    payer.tell_all(payment.reference)
    assert (payer.wallet(), payer.owes(), is_suspended(payer)) == (0, 210, True)
    assert payer.findings() == []

    payer.emulator.control(f"disputes/{dispute['id']}", status="won")
    payer.tell_all(payment.reference)
    payer.tell_all(payment.reference)

    assert (payer.wallet(), payer.owes(), is_suspended(payer)) == (290, 0, False)
    assert payer.lines("dispute") == [
        ("wallet", "debit", 290),
        ("receivable", "debit", 210),
        ("payment_clearing", "credit", 500),
        ("payment_clearing", "debit", 500),
        ("receivable", "credit", 210),
        ("wallet", "credit", 290),
    ]
    check_deferred()
    assert payer.findings() == []


def test_a_lost_dispute_is_owed_until_it_is_paid(payer: Payer):
    payment = payer.pay(500)
    payer.scene.capture(payer.scene.authorize(500).reference, images=500)
    dispute = payer.emulator.control("disputes", payment_intent=payment.reference)
    payer.emulator.control(f"disputes/{dispute['id']}", status="lost")

    # The closing first; the opening finds it all booked.
    for event in reversed(payer.emulator.events(payment.reference)):
        assert payer.tell(event) == 200

    assert Dispute.objects.get(dispute_id=dispute["id"]).status == "lost"
    assert (payer.wallet(), payer.owes(), is_suspended(payer)) == (0, 420, True)
    payer.pay(500)
    assert (payer.wallet(), payer.owes()) == (80, 0)
    check_deferred()
    assert payer.findings() == []


def test_a_dispute_that_is_told_before_the_payment_books_both(payer: Payer):
    payment = payer.pay(500, is_told=False)
    intent = payer.intent_of_payment(payment)
    payer.emulator.control("disputes", payment_intent=intent)

    payer.tell_all(intent, "charge.dispute.created")

    assert Payment.objects.get(id=payment.id).status == "succeeded"
    assert (payer.wallet(), is_suspended(payer)) == (0, True)


def test_an_inquiry_moves_no_money(payer: Payer):
    payment = payer.pay(500)
    payer.emulator.control(
        "disputes", payment_intent=payment.reference, status="warning_needs_response"
    )

    payer.tell_all(payment.reference)

    assert (payer.wallet(), is_suspended(payer)) == (500, False)


def test_a_suspension_by_staff_outlives_a_won_dispute(payer: Payer):
    payment = payer.pay(500)
    Organization.objects.filter(id=payer.scene.organization_id).update(
        suspended_at=payment.created_at, suspension_reason="Abuse."
    )
    dispute = payer.emulator.control("disputes", payment_intent=payment.reference)
    payer.tell_all(payment.reference)
    payer.emulator.control(f"disputes/{dispute['id']}", status="won")

    payer.tell_all(payment.reference)

    assert (payer.wallet(), is_suspended(payer)) == (500, True)
