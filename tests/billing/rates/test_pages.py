"""The pages of exchange rates, and who decides what there."""

from datetime import timedelta
from decimal import Decimal

import pytest
from django.db import IntegrityError, transaction
from django.test import Client

from billing.errors import RateDecidedError, SelfApprovalError
from billing.models import FxRate, RateCandidate
from billing.selectors.rates.force import rates_in_force
from billing.services.rates.candidates import (
    approve_candidate,
    propose_candidate,
    reject_candidate,
)
from billing.services.rates.manual import ManualRate, end_manual_rate, set_manual_rate
from billing.services.rates.recording import record_rates
from billing.sources.types import PublishedRate
from core.clock import now
from orgs.errors import PermissionDeniedError
from orgs.models import AuditEvent
from tests.orgs.people import Person, person
from tests.visits import signed_in, visit

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("pages")]
PATH = "/finance/rates"
LEMPIRA = "HNL"


@pytest.fixture
def finance(db) -> tuple[Person, Person]:
    return person(staff_role="finance"), person(staff_role="finance")


def in_force(quote: str = LEMPIRA) -> tuple[str, Decimal] | None:
    found = rates_in_force(pairs=[("USD", quote)], at=now()).get(("USD", quote))
    return None if found is None else (found.source, found.rate)


def publish(*rates: tuple[str, str], days_ago: int = 0) -> None:
    as_of = now() - timedelta(days=days_ago, minutes=1)
    published = [PublishedRate("EUR", quote, Decimal(rate), as_of) for quote, rate in rates]
    record_rates(source="ecb", rates=published, now=now())


def actions() -> list[str]:
    rows = AuditEvent.objects.filter(organization=None, action__startswith="fx_rate.")
    return list(rows.order_by("created_at", "id").values_list("action", flat=True))


def enter(client: Client, rate: str, **fields: str):
    terms = {"base": "USD", "quote": LEMPIRA, "rate": rate, "reason": "The bank said so", **fields}
    return client.post(f"{PATH}/new", terms)


def test_rates_are_shown_with_their_source_and_age(finance):
    publish(("USD", "1.25"), (LEMPIRA, "30"), days_ago=30)
    publish(("USD", "1.25"), (LEMPIRA, "31.25"), days_ago=29)
    client = signed_in(finance[0].user)
    enter(client, "26")

    overview = visit(client, PATH)
    pair = visit(client, f"{PATH}/USD/{LEMPIRA}")

    assert f"USD/{LEMPIRA}" in overview
    assert "Set by hand" in overview
    assert "Does not age" in overview
    assert "Stale: nothing is sold" in visit(client, f"{PATH}/EUR/{LEMPIRA}")
    assert "EUR/USD 1.25, EUR/HNL 31.25" in pair
    assert "25.00" in pair
    assert client.get(f"{PATH}/USD/QQQ").status_code == 404
    assert "No rate was ever recorded" in visit(client, f"{PATH}/USD/XPF")


def test_a_rate_is_set_ended_and_logged(finance):
    publish(("USD", "1.25"), (LEMPIRA, "31.25"))
    client = signed_in(finance[0].user)

    assert enter(client, "26,5").status_code == 302
    assert in_force() == ("manual", Decimal("26.5"))
    page = client.post(f"{PATH}/USD/{LEMPIRA}/end", {"reason": "The bank was wrong"}, follow=True)

    assert "follows its sources again" in page.content.decode()
    assert in_force() == ("ecb", Decimal(25))
    assert actions() == ["fx_rate.set", "fx_rate.ended"]
    event = AuditEvent.objects.filter(action="fx_rate.set").latest("created_at")
    assert event.changes == {
        "rate": {"before": "25.0000000000", "after": "26.5"},
        "reason": {"before": None, "after": "The bank said so"},
    }
    assert client.post(f"{PATH}/USD/{LEMPIRA}/end", {"reason": "again"}).status_code == 404


def test_a_rate_may_begin_later_and_end(finance):
    publish(("USD", "1.25"), (LEMPIRA, "31.25"))
    begins, ends = now() + timedelta(days=1), now() + timedelta(days=2)
    form = {"valid_from": f"{begins:%Y-%m-%dT%H:%M}", "valid_until": f"{ends:%Y-%m-%dT%H:%M}"}
    enter(signed_in(finance[0].user), "26", **form)

    assert in_force() == ("ecb", Decimal(25))
    pair = ("USD", LEMPIRA)
    for days, source in ((1.5, "manual"), (2.5, "ecb")):
        at = now() + timedelta(days=days)
        assert rates_in_force(pairs=[pair], at=at)[pair].source == source


@pytest.mark.parametrize(
    "wrong",
    [
        {"rate": ""},
        {"rate": "0"},
        {"rate": "-1"},
        {"rate": "1e3"},
        {"rate": "1.12345678901"},
        {"reason": " "},
        {"quote": "USD"},
        {"valid_until": "2020-01-01T00:00"},
    ],
)
def test_what_cannot_be_a_rate_is_refused_and_kept_in_the_form(finance, wrong):
    answer = enter(signed_in(finance[0].user), **{"rate": "26", **wrong})

    assert answer.status_code == 200
    assert "Nothing was saved yet" in answer.content.decode()
    assert not FxRate.objects.filter(quote=LEMPIRA).exists()


def test_a_jump_by_hand_needs_somebody_else(finance):
    publish(("USD", "1.25"), (LEMPIRA, "31.25"))
    mine, theirs = (signed_in(one.user) for one in finance)
    assert enter(mine, "31").status_code == 302
    candidate = RateCandidate.objects.get()
    path = f"{PATH}/aside/{candidate.id}"

    assert in_force() == ("ecb", Decimal(25))
    assert "Somebody else has to approve it" in visit(mine, PATH)
    mine.post(path, {"approve": "1"})
    assert in_force() == ("ecb", Decimal(25))
    theirs.post(path, {"approve": "1"})

    assert in_force() == ("manual", Decimal(31))
    assert actions() == ["fx_rate.proposed", "fx_rate.approved"]
    rate = FxRate.objects.get(source="manual", quote=LEMPIRA)
    assert (rate.created_by, rate.reason) == (finance[0].user.email, "The bank said so")
    assert "Kept aside" not in visit(theirs, PATH)


def test_a_published_jump_is_used_once_two_people_agree(finance):
    publish(("USD", "1.25"), (LEMPIRA, "31.25"), days_ago=1)
    publish(("USD", "1.25"), (LEMPIRA, "50"))
    mine, theirs = finance
    number = RateCandidate.objects.get().id

    with pytest.raises(RateDecidedError):
        approve_candidate(candidate_id=number, actor=theirs.actor, now=now())
    propose_candidate(candidate_id=number, actor=mine.actor, reason="Devalued", now=now())
    with pytest.raises(SelfApprovalError):
        approve_candidate(candidate_id=number, actor=mine.actor, now=now())
    assert in_force() == ("ecb", Decimal(25))
    approve_candidate(candidate_id=number, actor=theirs.actor, now=now())

    # 50 / 1.25: the cross rate comes with its leg.
    assert in_force() == ("ecb", Decimal(40))
    with pytest.raises(RateDecidedError):
        reject_candidate(candidate_id=number, actor=mine.actor, now=now())


def test_a_refused_rate_is_never_used(finance):
    publish(("USD", "1.25"), (LEMPIRA, "31.25"), days_ago=1)
    publish(("USD", "1.25"), (LEMPIRA, "3.125"))
    candidate = RateCandidate.objects.get()

    signed_in(finance[0].user).post(f"{PATH}/aside/{candidate.id}", {"refuse": "1"})

    assert in_force() == ("ecb", Decimal(25))
    assert actions() == ["fx_rate.rejected"]


def test_the_database_refuses_one_person_as_both(finance):
    publish(("USD", "1.25"), (LEMPIRA, "31.25"), days_ago=1)
    publish((LEMPIRA, "50"))
    someone = finance[0].user.id
    with pytest.raises(IntegrityError, match="four_eyes"), transaction.atomic():
        RateCandidate.objects.update(
            status="approved",
            proposed_by=someone,
            proposed_at=now(),
            decided_by=someone,
            fx_rate=FxRate.objects.first(),
        )


def test_only_finance_sees_and_decides(finance):
    nobody = person(staff_role="operator")
    client = signed_in(nobody.user)
    for path in (PATH, f"{PATH}/new", f"{PATH}/USD/EUR"):
        assert client.get(path).status_code == 404
        assert signed_in(finance[0].user).get(path).status_code == 200
    for path in ("fetch", "new", "aside/1", "USD/EUR/end"):
        assert client.post(f"{PATH}/{path}").status_code == 404
    terms = ManualRate("USD", LEMPIRA, Decimal(1), "Why not")
    with pytest.raises(PermissionDeniedError):
        set_manual_rate(terms=terms, actor=nobody.actor, now=now())
    with pytest.raises(PermissionDeniedError):
        end_manual_rate(base="USD", quote="EUR", reason="x", actor=nobody.actor, now=now())
    for decide in (approve_candidate, reject_candidate):
        with pytest.raises(PermissionDeniedError):
            decide(candidate_id=1, actor=nobody.actor, now=now())


def test_fetching_says_what_came_and_what_did_not(finance, publishers):
    publishers.fail("ecb")
    page = signed_in(finance[0].user).post(f"{PATH}/fetch", follow=True).content.decode()

    assert "European Central Bank did not answer with rates" in page
    assert "Banco de México (FIX): " in page
