"""Who gives promotional credit, and where it is seen."""

import csv
from datetime import UTC, datetime, timedelta
from io import StringIO
from uuid import uuid4

import pytest
from django.core.management import CommandError, call_command
from django.db import IntegrityError, transaction

from billing.errors import CurrencyMismatchError, GrantClosedError, SelfApprovalError
from billing.models import Grant, JournalEntry, Statement
from billing.services.credits.expiring import expire_grants
from billing.services.credits.granting import (
    GrantTerms,
    approve_grant,
    reject_grant,
    request_grant,
)
from billing.services.refunds.approving import approve_refund
from billing.services.refunds.asking import ask_refund
from billing.services.statements.issuing import issue_due_statements
from core.clock import now
from orgs.errors import InvalidInputError, PermissionDeniedError
from orgs.models import AuditEvent, Organization
from tests.billing.scene import UNIT, Scene
from tests.billing.test_commands import run
from tests.moments import next_month
from tests.orgs.people import Person, Team, person
from tests.visits import signed_in, visit


def terms(amount_micros: int = 5_000_000, currency: str = "MXN", **change) -> GrantTerms:
    given = {"expires_at": now() + timedelta(days=30), "reason": "Welcome", **change}
    return GrantTerms(amount_micros, currency, **given)


def finance() -> Person:
    return person(staff_role="finance")


def ask(scene: Scene, who: Person, wanted: GrantTerms | None = None) -> Grant:
    return request_grant(
        organization_id=scene.organization_id,
        terms=wanted or terms(),
        actor=who.actor,
        now=now(),
    )


def test_credit_is_given_by_a_second_person_once(scene: Scene):
    asker, other = finance(), finance()
    grant = ask(scene, asker)
    assert scene.promo() == (0, 0)
    with pytest.raises(SelfApprovalError):
        approve_grant(grant_id=grant.id, actor=asker.actor, now=now())

    approve_grant(grant_id=grant.id, actor=other.actor, now=now())

    with pytest.raises(GrantClosedError):
        reject_grant(grant_id=grant.id, actor=other.actor, now=now())
    entry = JournalEntry.objects.get(idempotency_key=f"promotion:{grant.id}")
    lines = entry.postings.order_by("line").values_list("account__code", "direction")
    assert list(lines) == [("promotions", "debit"), ("wallet_promo", "credit")]
    assert scene.promo() == (5_000_000, 0)
    logged = AuditEvent.objects.filter(organization_id=scene.organization_id)
    assert sorted(logged.values_list("action", flat=True)) == ["grant.approved", "grant.requested"]
    assert scene.findings() == []


def test_the_database_refuses_that_one_person_decides_alone(scene: Scene):
    asker = finance()
    grant = ask(scene, asker)

    with pytest.raises(IntegrityError, match="billing_grant_four_eyes"), transaction.atomic():
        Grant.objects.filter(id=grant.id).update(
            status="granted", decided_by=asker.user, decided_at=now()
        )


def test_what_cannot_be_given_is_refused(scene: Scene):
    with pytest.raises(PermissionDeniedError):
        ask(scene, person(staff_role="operator"))
    user = finance()
    with pytest.raises(CurrencyMismatchError):
        ask(scene, user, terms(currency="EUR"))
    with pytest.raises(InvalidInputError):
        ask(scene, user, terms(expires_at=now()))
    with pytest.raises(InvalidInputError):
        # In a zone ahead of UTC this has no date any more.
        ask(scene, user, terms(expires_at=datetime(9999, 12, 31, 23, tzinfo=UTC)))
    with pytest.raises(InvalidInputError):
        ask(scene, user, terms(reason=" "))
    late = ask(scene, user)
    with pytest.raises(InvalidInputError):
        approve_grant(grant_id=late.id, actor=finance().actor, now=late.expires_at)
    assert scene.promo() == (0, 0)


def test_the_command_gives_at_once(scene: Scene):
    expires = (now() + timedelta(days=3)).isoformat()
    printed = run(
        "grant_credit", str(scene.organization_id), "5", "--expires", expires, "--reason", "Hello"
    )

    assert (printed["amount"], printed["available"]) == ("5.00", "5.00")
    assert scene.promo() == (5_000_000, 0)
    with pytest.raises(CommandError, match="not an instant"):
        call_command(
            *("grant_credit", str(scene.organization_id), "5"),
            *("--expires", "2099-01-01", "--reason", "Hello"),
            stdout=StringIO(),
        )


def test_a_refund_gives_credit_back_to_its_grants(scene: Scene):
    early = scene.grant(UNIT // 2, expires_at=now() + timedelta(days=3))
    late = scene.grant(UNIT)
    scene.top_up(UNIT)
    reference = str(uuid4())
    scene.authorize(2, reference=reference)
    scene.capture(reference, images=2)
    asker, other = finance(), finance()

    def refund(index: int) -> tuple[int, ...]:
        wanted = ask_refund(
            reference=reference,
            artifacts=[f"{reference}/{index}"],
            reason="Broken",
            actor=asker.actor,
            now=now(),
        )
        approve_refund(refund_id=wanted.id, actor=other.actor, now=now())
        assert scene.findings() == []
        rows = Grant.objects.filter(id__in=[early.id, late.id]).order_by("expires_at")
        return tuple(row.unspent_micros for row in rows)

    assert (scene.promo(), scene.balance()) == ((0, 0), (UNIT // 2, 0))
    assert refund(1) == (0, UNIT // 2)
    assert (scene.promo(), scene.balance()) == ((UNIT // 2, 0), (UNIT, 0))
    assert refund(0) == (UNIT // 2, UNIT)
    assert scene.promo() == (UNIT * 3 // 2, 0)
    assert expire_grants(now=early.expires_at) == 1
    assert scene.promo() == (UNIT, 0)
    assert scene.findings() == []


@pytest.mark.usefixtures("pages")
def test_finance_asks_and_approves_on_pages(scene: Scene):
    asker, other = signed_in(finance().user), signed_in(finance().user)
    form = {
        "organization": str(scene.organization_id),
        "currency": "MXN",
        "amount": "25",
        "expires_at": f"{now() + timedelta(days=9):%Y-%m-%dT%H:%M}",
        "reason": "For the outage",
    }
    wrong = asker.post("/finance/credit/new", {**form, "currency": "USD"})
    assert "The wallet is in another currency." in wrong.content.decode()

    page = asker.post("/finance/credit/new", form)["Location"]

    assert "To approve" in visit(other, "/finance/credit")
    assert "Another person of finance approves it" in visit(asker, page)
    asker.post(page, {"approve": "1"})
    assert scene.promo() == (0, 0)
    other.post(page, {"approve": "1"})
    assert scene.promo() == (25_000_000, 0)
    assert "For the outage" in visit(other, page)
    assert "25.00" in visit(other, "/finance/credit")
    operator = signed_in(person(staff_role="operator").user)
    assert [operator.get(one).status_code for one in ("/finance/credit", page)] == [404, 404]


@pytest.mark.usefixtures("pages")
def test_an_organization_sees_its_credit_and_what_it_paid(scene: Scene):
    scene.top_up(10 * UNIT)
    scene.grant(UNIT // 2)
    scene.grant(UNIT)
    first = scene.capture(scene.authorize().reference)
    scene.authorize()
    organization = Organization.objects.get(id=scene.organization_id)
    client = signed_in(Team(organization).person("billing").user)
    billing = f"/o/{organization.id}/billing"

    page = visit(client, billing)
    assert "Of it promotional credit" not in page  # all of it is held
    scene.grant(2 * UNIT)
    page = visit(client, billing)
    assert "Of it promotional credit" in page
    assert "It is spent before the wallet" in page
    only = visit(client, f"{billing}?show=promo")
    assert only.count("Promotional credit</a>") >= 3
    detail = visit(client, f"{billing}/{first.entry_id}")
    assert "Of it paid by promotional credit" in detail
    assert "wallet_promo" in detail
    answer = client.get(f"{billing}/csv?show=promo")
    text = b"".join(answer.streaming_content).decode()  # type: ignore[attr-defined]
    rows = list(csv.DictReader(StringIO(text)))
    assert [row["kind"] for row in rows] == ["promotion", "capture", "promotion", "promotion"]
    assert [row["balance_after"] for row in rows] == ["2.10", "0.42", "1.26", "0.42"]


def test_a_statement_says_what_became_of_credit_without_any_money(scene: Scene):
    scene.grant(2 * UNIT)
    scene.capture(scene.authorize().reference)
    organization = Organization.objects.get(id=scene.organization_id)

    assert issue_due_statements(now=next_month(), organization_id=organization.id)
    content = Statement.objects.get(organization=organization).content
    accounts = {one["code"]: one for one in content["accounts"]}
    promo = accounts["wallet_promo"]
    assert (promo["opening"], promo["closing"]) == (0, UNIT)
    assert {move["kind"]: move["amount"] for move in promo["movements"]} == {
        "promotion": 2 * UNIT,
        "capture": -UNIT,
    }
    assert (accounts["wallet"]["opening"], accounts["wallet"]["closing"]) == (0, 0)
    assert sum(line["amount"] for line in content["lines"]) == UNIT
    assert scene.findings() == []
