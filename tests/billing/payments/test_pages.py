"""Pages about payments: who sees them, what they say, and what their forms do."""

from datetime import timedelta
from uuid import uuid4

import pytest
from django.test import Client

from billing.models import Payment, SavedCard
from billing.services.payments.charges import charge_low_wallets
from core.clock import now
from orgs.permissions import Permission
from orgs.selectors import User
from tests.billing.payments.payer import Payer
from tests.billing.payments.test_transfers import ask, held_aside
from tests.orgs.people import person
from tests.visits import check_doors, signed_in, visit

pytestmark = pytest.mark.usefixtures("pages")


def own(payer: Payer, path: str) -> str:
    return f"/o/{payer.scene.organization_id}/billing/{path}"


def finance() -> tuple[User, Client]:
    user = person(staff_role="finance").user
    return user, signed_in(user)


@pytest.mark.parametrize(
    ("path", "permission"),
    [
        ("add", Permission.TOP_UP),
        ("automatic", Permission.TOP_UP),
        ("payments", Permission.VIEW_BALANCE),
    ],
)
def test_pages_open_for_the_roles_of_the_table(payer: Payer, path, permission):
    check_doors(payer.team, own(payer, path), permission)


def test_a_payment_is_made_watched_and_receipted(payer: Payer):
    client = signed_in(payer.team.person("billing").user)
    assert "no real money" in visit(client, own(payer, "add"))
    refused = client.post(own(payer, "add"), {"amount": "99"}).content.decode()
    assert "Pay between 100.00 and 200000.00 MXN" in refused

    answer = client.post(own(payer, "add"), {"amount": "250", "saves_card": "on"})
    assert answer.status_code == 302
    assert answer["Location"].startswith(f"{payer.emulator.url}/pay/cs_test_")
    payment = Payment.objects.get(organization_id=payer.scene.organization_id)
    page = own(payer, f"payments/{payment.id}")
    assert 'hx-trigger="every 2s"' in visit(client, page)

    payer.emulator.press_pay(answer["Location"])
    # Coming back proves nothing.
    assert 'hx-trigger="every 2s"' in visit(client, page)
    assert payer.wallet() == 0
    payer.tell_all(payer.intent_of_payment(payment))

    assert "hx-trigger" not in visit(client, f"{page}/state")
    receipt = visit(client, page)
    assert "Receipt: 250.00 MXN" in receipt
    assert "Visa 4242" in receipt
    assert "no real money" in receipt
    assert "Paid" in visit(client, own(payer, "payments"))
    assert "4242" in visit(client, own(payer, "add"))
    spanish = signed_in(payer.owner.user, language="es")
    assert "sin dinero real" in visit(spanish, page)


def test_pages_of_another_organization_are_not_found(payer: Payer):
    theirs = Payer.create(payer.emulator).pay(500, card="ok")
    card = SavedCard.objects.get(organization_id=theirs.organization_id)
    client = signed_in(payer.owner.user)

    assert client.get(own(payer, f"payments/{theirs.id}")).status_code == 404
    assert client.get(own(payer, f"payments/{theirs.id}/state")).status_code == 404
    assert client.post(own(payer, f"cards/{card.id}/remove")).status_code == 404
    card.refresh_from_db()
    assert card.removed_at is None


def test_the_automatic_top_up_is_set_paused_and_ended(payer: Payer):
    client = signed_in(payer.owner.user)
    assert "No saved card yet" in visit(client, own(payer, "automatic"))
    payer.pay(500, card="declined")
    card = SavedCard.objects.get(organization_id=payer.scene.organization_id)
    form = {"threshold": "600", "amount": "300", "monthly_cap": "299", "card": str(card.id)}
    page = own(payer, "automatic")

    assert "below one top-up" in client.post(page, form).content.decode()
    for bad in ({"card": str(uuid4())}, {"threshold": "0"}, {"amount": "1"}):
        answer = client.post(page, {**form, "monthly_cap": "900", **bad})
        assert answer.status_code == 200
    assert client.post(page, {**form, "monthly_cap": "900"}).status_code == 302
    charge_low_wallets(now=now())
    assert "was declined" in visit(client, page)
    assert "Paused" in visit(client, own(payer, "add"))

    assert client.post(page, {"stop": "1"}).status_code == 302
    assert not payer.terms().is_enabled
    assert client.post(own(payer, f"cards/{card.id}/remove")).status_code == 302
    card.refresh_from_db()
    assert card.removed_at is not None


def test_no_card_payments_are_offered_where_none_are_set_up(payer: Payer, settings):
    settings.STRIPE_SECRET_KEY = ""
    client = signed_in(payer.owner.user)

    assert "by bank transfer" in visit(client, own(payer, "add"))


def test_finance_records_a_transfer_and_another_one_approves(payer: Payer):
    first, asking = finance()
    _, deciding = finance()
    form = {
        "organization": str(payer.scene.organization_id),
        "currency": "MXN",
        "amount": "1250.50",
        "reference": "SPEI 77",
        "received_on": (now() - timedelta(days=1)).date().isoformat(),
        "note": "",
    }
    record = "/finance/top-ups/transfer"
    visit(asking, record)
    for bad in ({"organization": str(uuid4())}, {"currency": "USD"}, {"amount": "x"}):
        assert asking.post(record, {**form, **bad}).status_code == 200

    answer = asking.post(record, form)
    page = answer["Location"]
    assert "SPEI 77" in visit(deciding, "/finance/top-ups")
    assert "already" in asking.post(record, form).content.decode()
    assert 'name="approve"' not in visit(asking, page)
    asking.post(page, {"approve": "1"})
    assert payer.wallet() == 0
    assert 'name="approve"' in visit(deciding, page)

    deciding.post(page, {"approve": "1"})

    assert payer.scene.balance()[0] == 1_250_500_000
    text = visit(deciding, page)
    assert 'name="approve"' not in text
    assert first.email in text


def test_finance_resolves_unmatched_money(payer: Payer):
    _, client = finance()
    held = held_aside(payer)
    page = f"/finance/top-ups/unmatched/{held.reference}"
    assert held.reference in visit(client, "/finance/top-ups")
    visit(client, page)

    assert client.post(page, {"note": ""}).status_code == 200
    bad = {"note": "x", "organization": str(uuid4())}
    assert client.post(page, bad).status_code == 200
    good = {"note": "Ours.", "organization": str(payer.scene.organization_id)}
    assert client.post(page, good).status_code == 302
    assert "Go to its payment" in visit(client, page)

    for unknown in ("none", "%00"):
        assert client.get(f"/finance/top-ups/unmatched/{unknown}").status_code == 404


def test_finance_pages_are_of_finance_alone(payer: Payer):
    payment = ask(payer, person(staff_role="finance"))
    for path in ("top-ups", "top-ups/transfer", f"top-ups/{payment.id}"):
        for user in (payer.owner.user, person(staff_role="operator").user):
            assert signed_in(user).get(f"/finance/{path}").status_code == 404
