"""Pages about taxes: the total before paying, and what finance sets."""

import io
import json
from datetime import UTC, timedelta
from decimal import Decimal

import pytest
from django.core.management import call_command
from pypdf import PdfReader

from billing.models import (
    AccountCode,
    Direction,
    EntryKind,
    Invoice,
    JournalEntry,
    Payment,
    TaxRate,
)
from billing.services.accounts import account
from billing.services.ledger import post_entry
from billing.services.payments.charges import charge_low_wallets
from billing.services.payments.transfers import approve_payment
from billing.types import Line
from core.clock import now
from orgs.models import Mail, Organization
from orgs.permissions import Permission
from orgs.services.signing import unseal
from tests.billing.payments.payer import PESO, Payer
from tests.billing.payments.test_transfers import ask
from tests.billing.reports.test_books import micros, read_csv, read_xlsx
from tests.orgs.people import Person, person
from tests.visits import check_doors, signed_in, visit

pytestmark = pytest.mark.usefixtures("pages")


def test_the_total_is_seen_before_it_is_paid(payer: Payer):
    client = signed_in(payer.team.person("billing").user)
    page = f"/o/{payer.scene.organization_id}/billing/add"
    assert "IVA 16\u00a0% is added" in visit(client, page)
    shown = visit(client, f"{page}/total?amount=250.10")
    assert all(figure in shown for figure in ("250.10", "40.02", "290.12"))
    assert "is added" in visit(client, f"{page}/total?amount=x")

    # Without a script nobody has seen the total yet, and with an old page another one.
    for seen in ({}, {"seen": "290110000"}, {"seen": "x"}):
        again = client.post(page, {"amount": "250.10", **seen}).content.decode()
        assert 'name="seen" value="290120000"' in again
    answer = client.post(page, {"amount": "250.10", "seen": "290120000"})

    assert answer.status_code == 302
    payment = Payment.objects.get(organization_id=payer.scene.organization_id)
    assert (payment.net_micros, payment.gross_micros) == (250_100_000, 290_120_000)
    text = visit(client, f"/o/{payer.scene.organization_id}/billing/payments/{payment.id}")
    assert "Of it IVA 16" in text


def test_finance_sets_rates_and_treatments(payer: Payer, finance: Person):
    client = signed_in(finance.user)
    new = "/finance/taxes/new"
    visit(client, new)
    form = {"country": "de", "name": "USt", "percent": "19", "active_from": ""}
    for bad in (
        {"country": "DEU"},
        {"country": "uk"},
        {"percent": "100"},
        {"percent": "x"},
        {"name": ""},
    ):
        assert client.post(new, {**form, **bad}).status_code == 200
    assert client.post(new, form).status_code == 302
    assert client.post(new, {**form, "active_from": "2090-01-01T00:00"}).status_code == 302
    text = visit(client, "/finance/taxes")
    assert all(word in text for word in ("USt", "In force", "Later"))

    own = f"/finance/taxes/organizations/{payer.scene.organization_id}"
    asked = client.get(f"/finance/taxes?organization={payer.scene.organization_id}")
    assert asked["Location"] == own
    assert "IVA 16" in visit(client, own)
    assert client.post(own, {"treatment": "exempt", "reason": ""}).status_code == 200
    assert client.post(own, {"treatment": "exempt", "reason": "Art. 15"}).status_code == 302
    assert "Exempt from tax. Art. 15" in visit(client, own)
    assert "Art. 15" in visit(client, "/finance/taxes")
    page = f"/o/{payer.scene.organization_id}/billing/add"
    assert "Exempt from tax. Art. 15" in visit(signed_in(payer.owner.user), page)
    for path in ("", "/new", f"/organizations/{payer.scene.organization_id}"):
        assert (
            signed_in(person(staff_role="operator").user).get(f"/finance/taxes{path}").status_code
            == 404
        )


def test_a_raised_tax_that_no_longer_fits_the_cap_is_said(payer: Payer):
    payer.fill_by("ok", amount=300, cap=348)
    client = signed_in(payer.owner.user)
    page = f"/o/{payer.scene.organization_id}/billing/automatic"
    assert "nothing is charged" not in visit(client, page)

    call_command("set_tax_rate", "MX", "17.5", "--name", "IVA", "--json")

    assert TaxRate.objects.filter(country="MX").order_by("-id")[0].rate * 1000 == 175
    assert "nothing is charged" in visit(client, page)
    assert payer.terms().monthly_cap_micros == 348 * PESO


def test_customers_find_read_and_keep_their_invoices(payer: Payer):
    rows = Organization.objects.filter(id=payer.scene.organization_id)
    rows.update(billing_email="cuentas@example.com", language="es", billing_address="Calle 1\nCDMX")
    own = f"/o/{payer.scene.organization_id}/billing"
    check_doors(payer.team, f"{own}/invoices", Permission.VIEW_BALANCE)
    client = signed_in(payer.team.person("billing").user)
    assert "No invoices yet" in visit(client, f"{own}/invoices")
    payment = payer.pay(500, seen=580)
    payer.emulator.refund(payment.reference, 10_000)
    payer.tell_all(payment.reference)
    first, second = Invoice.objects.filter(payment=payment).order_by("number")

    listed = visit(client, f"{own}/invoices")
    assert all(text in listed for text in (str(first), "Correction", "580.00", "\u2212100.00"))
    page = visit(client, f"{own}/invoices/{first.id}")
    assert all(text in page for text in ("Talleres, S.A.", "IVA 16", "this is no invoice"))
    assert str(first) in visit(client, f"{own}/payments/{payment.id}")
    said = json.loads(client.get(f"{own}/invoices/{second.id}/json").content)
    assert (said["corrects"], said["net"], said["total"]) == (str(first), "-86.21", "-100.00")
    pdf = client.get(f"{own}/invoices/{first.id}/pdf")
    text = " ".join(PdfReader(io.BytesIO(pdf.content)).pages[0].extract_text().split())
    for words in (
        f"Factura {first}",
        "Talleres, S.A. Calle 1 CDMX MX",
        "IVA 16 % 80,00",
        "Total 580,00",
    ):
        assert words in text.replace("\xa0", " "), text
    assert pdf.content == client.get(f"{own}/invoices/{first.id}/pdf").content
    assert client.get(f"{own}/invoices/{first.id}/exe").status_code == 404
    stranger = f"/o/{Payer.create(payer.emulator).scene.organization_id}/billing/invoices"
    assert client.get(f"{stranger}/{first.id}").status_code == 404
    mails = Mail.objects.filter(recipient="cuentas@example.com").order_by("created_at")
    subjects = sorted(mail.subject.split()[0] for mail in mails)
    assert subjects == ["Factura", "Rectificación"]
    assert any(str(first.id) in unseal(bytes(mail.body)) for mail in mails)


def test_the_tax_of_a_period_is_what_the_ledger_owes(payer: Payer, finance: Person):
    payment = payer.pay(500, seen=580)
    payer.emulator.refund(payment.reference, 11_600)
    payer.tell_all(payment.reference)
    Organization.objects.filter(id=payer.scene.organization_id).update(billing_country="DE")
    late = ask(payer, finance)
    approve_payment(payment_id=late.id, actor=person(staff_role="finance").actor, now=now())
    paid_to_the_state = [
        Line(account(AccountCode.TAX_PAYABLE, "MXN"), Direction.DEBIT, 10 * PESO),
        Line(account(AccountCode.CASH, "MXN"), Direction.CREDIT, 10 * PESO),
    ]
    post_entry(
        kind=EntryKind.ADJUSTMENT, idempotency_key="state", lines=paid_to_the_state, now=now()
    )
    client = signed_in(finance.user)
    today = now().astimezone(UTC).date()
    period = f"?since={today - timedelta(days=9)}&until={today}"
    report = "/finance/reports/tax"

    lines = read_csv(client, f"{report}.csv{period}")
    mine = [one for one in lines if one["currency"] == "MXN"]
    owed = {one["item"]: micros(one["tax_amount"]) for one in mine if one["item"] != "invoices"}
    standard = [one for one in mine if one["basis"] == "standard"]
    assert [(one["country"], one["tax"], one["rate"]) for one in standard] == [
        ("MX", "IVA", "0.160000")
    ]
    assert micros(standard[0]["tax_amount"]) == 64 * PESO
    assert any((one["country"], one["basis"]) == ("DE", "no_rate") for one in mine)
    assert owed["other"] == -10 * PESO
    assert owed["closing"] == owed["opening"] + 54 * PESO
    assert owed["closing"] == micros(closing(client, period))
    page = visit(client, f"{report}{period}")
    assert all(text in page for text in ("IVA 16", "No tax there", "Other entries"))
    asked = f"{period}&currency=MXN&country=MX&basis=standard&name=IVA&rate=0.16"
    listed = visit(client, f"{report}/invoices{asked}")
    assert all(str(one) in listed for one in Invoice.objects.filter(payment=payment))
    assert str(Invoice.objects.get(payment=late).id) not in listed
    visit(client, f"{report}/invoices?rate=x&cursor=x")
    assert len(read_xlsx(client, f"{report}/invoices.xlsx{asked}")) == 3
    visit(client, f"/finance/invoices/{Invoice.objects.get(payment=late).id}")
    assert str(Invoice.objects.get(payment=late)) in visit(client, f"/finance/top-ups/{late.id}")


def closing(client, period: str) -> str:
    rows = read_csv(client, f"/finance/reports/trial-balance.csv{period}")
    return next(
        one["closing"]
        for one in rows
        if (one["account"], one["currency"]) == ("tax_payable", "MXN")
    )


def test_what_is_owed_is_said_and_paid_first(payer: Payer):
    payment = payer.pay(500, seen=580)
    payer.scene.capture(payer.scene.authorize(500).reference, images=500)
    payer.emulator.refund(payment.reference)
    payer.tell_all(payment.reference)
    client = signed_in(payer.owner.user)
    own = f"/o/{payer.scene.organization_id}/billing"
    assert payer.owes() == 420
    assert "420.00 MXN are owed" in visit(client, own)
    assert "420.00 MXN are owed" in visit(client, f"{own}/add")
    total = visit(client, f"{own}/add/total?amount=500")
    assert all(figure in total for figure in ("420.00", "80.00", "580.00"))

    whole = payer.pay(420, seen=Decimal("487.2"))
    page = visit(client, f"{own}/payments/{whole.id}")

    # Nothing of it came into the wallet, whose transactions have none of it.
    assert "Of it paid what was owed" in page
    assert "What was booked" not in page
    assert (payer.wallet(), payer.owes()) == (0, 0)
    entry = Invoice.objects.get(payment=payment, kind="correction").entry_key
    entry_id = JournalEntry.objects.get(idempotency_key=entry).id
    drawer = visit(client, f"{own}/{entry_id}")
    assert all(text in drawer for text in ("tax_payable", "Correction", "580.00"))
    assert payer.findings() == []


def test_the_wallet_says_how_it_is_filled(payer: Payer):
    client = signed_in(payer.owner.user)
    page = f"/o/{payer.scene.organization_id}/billing"
    assert "filled by hand" in visit(client, page)
    payer.pay(500, seen=580)
    payer.fill_by("declined", threshold=600, amount=300)
    payer.scene.authorize(2)

    assert "300.00 MXN are added automatically; at most 1,000.00 MXN" in visit(client, page)
    charge_low_wallets(now=now())

    assert "paused since a charge failed" in visit(client, page)
