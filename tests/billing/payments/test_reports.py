"""Stripe's reports beside what is booked, and its payouts."""

from datetime import timedelta

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile

from billing.errors import InvalidAmountError, ReferenceUsedError
from billing.models import JournalEntry, Payment, Payout
from billing.services.reconciliation.checks import check_reconciliations
from billing.services.reconciliation.payouts import PaidOut, record_payout
from billing.services.reconciliation.stripe_report import (
    Movement,
    compare_report,
    read_report,
    sum_payouts,
)
from core.clock import now
from orgs.errors import PermissionDeniedError
from tests.billing.payments.payer import PESO, Payer
from tests.billing.scene import check_deferred
from tests.moments import today
from tests.orgs.people import person
from tests.visits import signed_in, visit

HEADING = (
    "balance_transaction_id,created_utc,reporting_category,currency,gross,fee,net,source_id,"
    "payment_intent_id,automatic_payout_id,automatic_payout_effective_at_utc\n"
)
PAGE = "/finance/reconciliation/stripe"


def line(number: int, category: str, gross: str, fee: str, source: str, intent: str = "") -> str:
    return (
        f"txn_{number},{today()} 10:00:00,{category},mxn,{gross},{fee},0,{source},{intent},po_1,"
        f"{today()} 12:00:00\n"
    )


def movements(text: str) -> list[Movement]:
    report = read_report(HEADING + text)
    assert report.errors == []
    return report.movements


@pytest.fixture
def paid(payer: Payer) -> tuple[str, str, str]:
    """Three payments of 500, 600 and 700 pesos, the first of which was refunded."""
    first, second, third = (payer.intent_of_payment(payer.pay(one)) for one in (500, 600, 700))
    payer.emulator.refund(first)
    payer.tell_all(first)
    return first, second, third


def test_every_discrepancy_of_payments_is_found_and_named(paid):
    first, second, third = paid
    refund = Payment.objects.get(reference=first).refunds.get().refund_id
    text = (
        line(1, "charge", "500.00", "18.50", "ch_1", first)
        + line(2, "charge", "599.00", "20", "ch_2", second)
        + line(3, "refund", "-500.00", "0", refund, first)
        + line(4, "charge", "10.00", "1", "ch_4", "pi_unheard")
        + line(4, "charge", "10.00", "1", "ch_4", "pi_unheard")
        + line(5, "fee", "-2.50", "0", "", "")
    )

    own = {first, second, third, "pi_unheard", refund}
    found = [
        (one.kind, one.reference, one.line)
        for one in compare_report(movements(text))
        if one.reference in own
    ]

    assert found == [
        ("twice", "pi_unheard", 6),
        ("amount", second, 3),
        ("missing_here", "pi_unheard", 5),
        ("missing_there", third, None),
    ]
    [payout] = sum_payouts(movements(text))
    # 500 + 599 - 500 + 10, what is there twice once; fees of 18.50, 20, 1 and 2.50 of its own.
    assert (payout.gross, payout.fee, payout.is_booked) == (609 * PESO, 42 * PESO, False)


def test_a_payout_is_booked_once_with_its_fees(payer: Payer):
    finance = person(staff_role="finance")
    paid = PaidOut("po_7", "MXN", 619 * PESO, 43 * PESO, today() - timedelta(days=1))
    with pytest.raises(PermissionDeniedError):
        record_payout(paid=paid, actor=payer.owner.actor, now=now())
    none = PaidOut("po_8", "MXN", PESO, PESO, today())
    with pytest.raises(InvalidAmountError):
        record_payout(paid=none, actor=finance.actor, now=now())

    record_payout(paid=paid, actor=finance.actor, now=now())

    with pytest.raises(ReferenceUsedError):
        record_payout(paid=paid, actor=finance.actor, now=now())
    entry = JournalEntry.objects.get(idempotency_key="payout:po_7")
    lines = entry.postings.order_by("line").values_list(
        "account__code", "direction", "amount_micros"
    )
    assert list(lines) == [
        ("cash", "debit", 576 * PESO),
        ("payment_fees", "debit", 43 * PESO),
        ("payment_clearing", "credit", 619 * PESO),
    ]
    assert entry.effective_at.date() == today() - timedelta(days=1)
    check_deferred()
    assert list(check_reconciliations()) == []
    Payout.objects.update(fee_micros=42 * PESO)
    assert {one.row_id for one in check_reconciliations()} == {"po_7"}


@pytest.mark.usefixtures("pages")
def test_finance_compares_a_report_and_books_its_payout(paid):
    client = signed_in(person(staff_role="finance").user)
    text = HEADING + line(1, "charge", "599.00", "20", "ch_2", paid[1])

    def upload(content: str) -> str:
        file = SimpleUploadedFile("report.csv", content.encode(), "text/csv")
        return client.post(PAGE, {"file": file}).content.decode()

    assert "This is no date" in upload(text.replace(str(today()), "soon"))
    page = upload(text)
    assert "Another amount" in page
    assert paid[1] in page
    book = f"/finance/reconciliation/payout?payout_reference=po_1&currency=MXN&gross={599 * PESO}"
    assert book.replace("&", "&amp;") in page
    form = visit(client, f"{book}&fee={20 * PESO}&arrived_on={today()}")
    assert 'value="599.00"' in form
    fields = {
        "payout_reference": "po_1", "currency": "MXN", "gross": "599", "fee": "20",
        "arrived_on": str(today()),
    }  # fmt: skip

    client.post("/finance/reconciliation/payout", fields)

    assert "po_1" in visit(client, PAGE)
    assert "Book it" not in upload(text)
    again = client.post("/finance/reconciliation/payout", fields).content.decode()
    assert "booked already" in again
