"""Pages about taxes: the total before paying, and what finance sets."""

import pytest
from django.core.management import call_command

from billing.models import Payment, TaxRate
from tests.billing.payments.payer import PESO, Payer
from tests.orgs.people import Person, person
from tests.visits import signed_in, visit

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
    for bad in ({"country": "DEU"}, {"percent": "100"}, {"percent": "x"}, {"name": ""}):
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
