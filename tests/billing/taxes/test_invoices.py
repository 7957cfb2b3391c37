"""Every payment has its invoice, what goes back its correction, all numbered without gaps."""

import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any

import pytest
from django.db import DatabaseError, connection, transaction

from billing.models import Invoice, Payment
from billing.services.invoices.checks import check_invoices
from billing.services.payments.transfers import Transfer, approve_payment, record_transfer
from billing.types import Finding
from core.clock import now
from orgs.models import Organization
from tests.billing.payments.payer import PESO, Payer
from tests.billing.payments.test_transfers import ask
from tests.billing.scene import UNIT, Scene, check_deferred
from tests.moments import today
from tests.orgs.people import Person, person

CALLERS = 12


def year() -> str:
    """Return the series that counts the invoices of this year."""
    return f"{today():%Y}"


def said(payer: Payer) -> list[tuple[str, str, int, int, int]]:
    """Return kind, reason, which one is corrected, net and tax in centavos, in order of numbers."""
    rows = list(Invoice.objects.filter(organization_id=payer.scene.organization_id))
    rows.sort(key=lambda row: row.number)
    places = {str(row): place for place, row in enumerate(rows, start=1)}
    return [
        (
            row.kind,
            row.content["reason"],
            places.get(row.content["corrects"], 0),
            row.net_micros // 10_000,
            row.tax_micros // 10_000,
        )
        for row in rows
    ]


def findings() -> list[Finding]:
    """Return what is wrong with invoices of the whole platform."""
    return list(check_invoices(organization_id=None))


@pytest.fixture
def invoiced(payer: Payer) -> Payment:
    """A payment, refunded in part, and a dispute of the rest that was won."""
    payment = payer.pay(500, seen=580)
    refund = payer.emulator.refund(payment.reference, 10_000)
    payer.tell_all(payment.reference)
    payer.emulator.control(f"refunds/{refund['id']}", status="failed")
    payer.tell_all(payment.reference)
    payer.emulator.refund(payment.reference, 8_000)
    payer.tell_all(payment.reference)
    dispute = payer.emulator.control("disputes", payment_intent=payment.reference, amount=50_000)
    payer.tell_all(payment.reference)
    payer.emulator.control(f"disputes/{dispute['id']}", status="won")
    payer.tell_all(payment.reference)
    payer.tell_all(payment.reference)
    return payment


def test_what_comes_and_goes_is_invoiced_as_it_is_booked(payer: Payer, invoiced: Payment):
    assert said(payer) == [
        ("invoice", "top_up", 0, 50_000, 8_000),
        ("correction", "refund", 1, 8_621, 1_379),
        ("invoice", "refund_failed", 2, 8_621, 1_379),
        ("correction", "refund", 1, 6_897, 1_103),
        ("correction", "dispute", 1, 43_103, 6_897),
        ("invoice", "dispute_won", 5, 43_103, 6_897),
    ]
    first = Invoice.objects.filter(payment=invoiced).order_by("number")[0]
    assert first.series_id == f"TEST-{year()}"
    content = first.content
    assert content["customer"]["legal_name"] == "Talleres, S.A."
    assert content["tax"] == {
        "basis": "standard", "country": "MX", "name": "IVA", "rate": "0.16", "reason": "",
    }  # fmt: skip
    assert (content["net"], content["tax_amount"], content["total"]) == (
        500 * PESO, 80 * PESO, 580 * PESO,
    )  # fmt: skip
    check_deferred()
    assert findings() == []
    assert payer.findings() == []


def test_an_invoice_says_what_the_buyer_was_then(payer: Payer, finance: Person, settings):
    settings.STATEMENT_ISSUER, settings.INVOICE_TAX_ID = "Lienzo, S.L.", "B00000000"
    payment = ask(payer, finance)
    approve_payment(payment_id=payment.id, actor=person(staff_role="finance").actor, now=now())
    Organization.objects.filter(id=payment.organization_id).update(legal_name="Other", tax_id="")
    settings.STATEMENT_ISSUER = "Other"

    row = Invoice.objects.get(payment=payment)

    # Money of a bank moves: its series is the one that counts.
    assert str(row) == f"{year()}-000001"
    assert row.content["seller"] == {"name": "Lienzo, S.L.", "tax_id": "B00000000", "address": ""}
    assert row.content["customer"]["tax_id"] == "TAL010101AAA"
    assert row.effective_at.date() == (now() - timedelta(days=3)).date()
    assert payer.findings() == []


def test_numbers_of_many_at_once_have_no_gap(committed):
    first, second = person(staff_role="finance"), person(staff_role="finance")
    payers = [Scene.create() for _ in range(CALLERS)]
    waiting = [
        record_transfer(
            organization_id=scene.organization_id,
            transfer=Transfer(UNIT * 100, "MXN", f"SPEI {scene.organization_id}", now().date()),
            actor=first.actor,
            now=now(),
        )
        for scene in payers
    ]
    start = threading.Barrier(CALLERS)

    def approve(place: int) -> None:
        start.wait()
        try:
            with transaction.atomic():
                approve_payment(payment_id=waiting[place].id, actor=second.actor, now=now())
                # A third of them fails at the very end, and takes no number.
                transaction.set_rollback(place % 3 == 0)
        finally:
            connection.close()

    with ThreadPoolExecutor(CALLERS) as threads:
        list(threads.map(approve, range(CALLERS)))

    rows = Invoice.objects.filter(payment__in=waiting)
    kept = CALLERS - CALLERS // 3
    assert sorted(one.number for one in rows) == list(range(1, kept + 1))
    assert findings() == []


def test_invoices_cannot_be_changed(payer: Payer):
    payer.pay(500, seen=580)
    check_deferred()
    for change in (
        "UPDATE billing_invoice SET number = number",
        "DELETE FROM billing_invoice",
        "TRUNCATE billing_invoice CASCADE",
        "DELETE FROM billing_invoiceseries",
    ):
        with (
            pytest.raises(DatabaseError, match="is refused"),
            transaction.atomic(),
            connection.cursor() as cursor,
        ):
            cursor.execute(change)


@pytest.mark.parametrize(
    ("change", "checks"),
    [
        ("invoice SET content = jsonb_set(content, '{total}', '1')", {"invoice"}),
        ("invoice SET tax_micros = tax_micros + 1", {"invoice", "invoice_entry"}),
        ("invoice SET tax_rate = 0.08", {"invoice", "invoice_entry"}),
        ("invoice SET number = number + 9", {"invoice", "invoice_number"}),
        ("invoice SET entry_key = 'x'", {"invoice_entry"}),
        ("invoice SET issued_at = issued_at - interval '2 years'", {"invoice"}),
        ("invoiceseries SET last = 7", {"invoice_number"}),
    ],
)
def test_a_changed_invoice_is_named(payer: Payer, change: str, checks: set[str]):
    payment = payer.pay(500, seen=580)
    check_deferred()
    assert findings() == []
    column = "payment_id" if change.startswith("invoice ") else "name"
    tamper(
        f"UPDATE billing_{change} WHERE {column} = %s",
        payment.id if "_" in column else f"TEST-{year()}",
    )

    assert {finding.check for finding in findings()} == checks


def test_a_missing_invoice_is_named(payer: Payer, invoiced: Payment):
    check_deferred()
    tamper(
        "DELETE FROM billing_invoice WHERE payment_id = %s AND kind = 'invoice'"
        " AND entry_key LIKE 'dispute_won:%%'",
        invoiced.id,
    )

    found = findings()
    assert {finding.check for finding in found} == {"invoice_entry", "invoice_number"}
    assert "dispute_won:" in next(one.message for one in found if one.check == "invoice_entry")


def tamper(sql: str, *params: Any) -> None:
    """Change rows as somebody would who may switch triggers off."""
    with connection.cursor() as cursor:
        for table in ("billing_invoice", "billing_invoiceseries"):
            cursor.execute(f"ALTER TABLE {table} DISABLE TRIGGER USER")
        cursor.execute(sql, params)
