"""`verify_ledger` names payments that the journal does not confirm."""

import pytest
from django.db import connection

from billing.models import Payment, UnmatchedPayment
from billing.services.payments.checks import check_payments
from core.clock import now
from tests.billing.payments.payer import Payer

ENTRY = {"payment_entry"}


@pytest.fixture
def paid(payer: Payer) -> Payment:
    """A payment, half refunded and then disputed."""
    payment = payer.pay(500)
    payer.emulator.refund(payment.reference, 10_000)
    payer.emulator.control("disputes", payment_intent=payment.reference, amount=20_000)
    payer.tell_all(payment.reference)
    payment.refresh_from_db()
    assert payer.findings() == []
    return payment


@pytest.mark.parametrize(
    ("change", "checks"),
    [
        ("payment SET gross_micros = gross_micros + 1, net_micros = net_micros + 1", ENTRY),
        ("payment SET status = 'failed'", ENTRY),
        ("payment SET refunded_micros = 0", {"payment_refunded"}),
        ("paymentrefund SET amount_micros = amount_micros - 1", ENTRY | {"payment_refunded"}),
        ("paymentrefund SET status = 'failed'", ENTRY | {"payment_refunded"}),
        ("dispute SET amount_micros = 1", ENTRY),
        ("dispute SET status = 'won', closed_at = now()", ENTRY),
    ],
)
def test_a_changed_payment_is_named(payer: Payer, paid: Payment, change, checks):
    column = "id" if change.startswith("payment ") else "payment_id"
    with connection.cursor() as cursor:
        cursor.execute(f"UPDATE billing_{change} WHERE {column} = %s", [paid.id])

    assert {finding.check for finding in payer.findings()} == checks


@pytest.mark.parametrize("table", ["paymentrefund", "dispute"])
def test_a_deleted_row_is_missed_by_its_entry(payer: Payer, paid: Payment, table):
    with connection.cursor() as cursor:
        cursor.execute(f"DELETE FROM billing_{table} WHERE payment_id = %s", [paid.id])

    assert "payment_row" in {finding.check for finding in payer.findings()}


def test_unmatched_money_that_is_said_to_be_paid_back_is_looked_for(payer: Payer):
    payment = payer.pay(500, is_told=False)
    intent = payer.intent_of_payment(payment)
    payer.emulator.change(intent, metadata={})
    payer.tell_all(intent)

    def named() -> list[str]:
        return [one.check for one in check_payments(organization_id=None) if one.row_id == intent]

    assert named() == []
    UnmatchedPayment.objects.filter(reference=intent).update(status="resolved", resolved_at=now())

    assert named() == ["payment_entry"]
