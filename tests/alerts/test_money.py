"""Alerts on money: the books, what is held, costs and revenue, rates and payments."""

from datetime import datetime, timedelta
from decimal import Decimal
from uuid import uuid4

from django.db import connection

from billing.models import Account, AccountDay, Balance
from billing.services.costs import post_attempt_cost
from billing.services.fx import set_rate
from billing.services.payments.stripe_api import IntentFacts
from billing.services.payments.unmatched import hold_aside
from billing.services.reports.account_days import count_postings
from core.clock import now
from gateway.models import Check, Finding, MarginSum
from gateway.services.operations.checks import LEDGER, check_ledger, check_platform
from gateway.services.reports.margin_days import count_margins
from orgs.models import Organization
from tests.alerts.conftest import Platform
from tests.alerts.timeline import alert, assert_fires
from tests.billing.scene import Scene
from tests.gateway.services.rows import add_attempt, add_generation, open_key


def publish(quote: str, *, at: datetime) -> None:
    """Record a rate of a source, of an instant."""
    set_rate(base="USD", quote=quote, rate=Decimal(20), source="ecb", as_of=at, now=now())


def book_cost(dollars: str) -> None:
    """Book a call that cost us something, and delivered nothing."""
    post_attempt_cost(
        attempt_reference=str(uuid4()), provider="fal", amount=Decimal(dollars), now=now()
    )
    count_margins()


def test_a_balance_that_was_changed_is_told_of_once_the_ledger_is_checked(platform: Platform):
    scene = Scene.create()
    scene.top_up(10_000_000)
    assert check_ledger(now=now())
    healthy = platform.state()

    with connection.cursor() as cursor:
        cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")
        cursor.execute("ALTER TABLE billing_balance DISABLE TRIGGER USER")
    Balance.objects.filter(account__organization_id=scene.organization_id).update(posted_micros=1)
    Check.objects.filter(name=LEDGER).update(requested_at=now() + timedelta(seconds=1))
    assert check_ledger(now=now() + timedelta(seconds=2))

    assert_fires(alert("LedgerViolation"), healthy=healthy, then=platform.state(), after=1)


def test_sums_that_differ_from_sound_books_wake_nobody(platform: Platform):
    """A sum of an account and one of a model; neither has an organization."""
    scene = Scene.create(price="8", rate="20")
    scene.top_up(500_000_000)
    scene.capture(scene.authorize().reference)
    while count_margins() or count_postings():
        pass
    assert check_ledger(now=now())
    healthy = platform.state()

    accounts = Account.objects.filter(organization_id=scene.organization_id)
    AccountDay.objects.filter(account_id__in=accounts).update(credit_micros=1)
    MarginSum.objects.filter(slice="models").update(images=7)
    Check.objects.filter(name=LEDGER).update(requested_at=now() + timedelta(seconds=1))
    assert check_ledger(now=now() + timedelta(seconds=2))
    connection.check_constraints()

    found = Finding.objects.filter(resolved_at=None).values_list("kind", "object_type")
    assert set(found) == {
        ("rollup.difference", "billing_accountday"),
        ("rollup.difference", "gateway_marginsum"),
    }
    assert_fires(alert("RollupDifference"), healthy=healthy, then=platform.state(), after=12)


def test_a_ledger_that_nobody_checks_is_told_of(platform: Platform):
    assert check_ledger(now=now())
    healthy = platform.state()

    Check.objects.filter(name=LEDGER).update(finished_at=now() - timedelta(hours=31))

    assert_fires(alert("LedgerCheckOverdue"), healthy=healthy, then=platform.state(), after=12)


def test_a_hold_past_its_deadline_is_told_of(platform: Platform):
    scene = Scene.create()
    scene.top_up(10_000_000)
    scene.authorize()
    healthy = platform.state()

    scene.authorize(at=now() - timedelta(minutes=5))

    assert_fires(alert("HoldsOverdue"), healthy=healthy, then=platform.state(), after=3)


def test_a_generation_that_does_not_end_is_told_of(platform: Platform):
    check_platform(now=now())
    healthy = platform.state()

    ended = now() - timedelta(minutes=11)
    add_generation(open_key(), status="succeeded", finished_at=ended, has_stray_objects=True)
    check_platform(now=now())

    then = platform.state()
    assert_fires(alert("WarningFinding", kind="objects.left"), healthy=healthy, then=then, after=32)


def test_results_past_their_deadline_are_told_of(platform: Platform):
    check_platform(now=now())
    healthy = platform.state()

    generation = add_generation(open_key(), status="failed", finished_at=now())
    add_attempt(generation, number=1, ended_at=now(), status="late", cost_micros=40_000)
    check_platform(now=now())

    assert_fires(alert("ResultsLate"), healthy=healthy, then=platform.state(), after=12)


def test_a_day_that_costs_more_than_it_earns_is_told_of(platform: Platform):
    scene = Scene.create(price="8", rate="20")
    scene.top_up(500_000_000)
    scene.capture(scene.authorize().reference)
    # Earned: 8 x 1.05 dollars, in pesos.
    book_cost("6")
    healthy = platform.state()

    book_cost("3")

    assert_fires(alert("DayAtALoss"), healthy=healthy, then=platform.state(), after=12)


def test_an_exchange_rate_that_nobody_renews_is_told_of(platform: Platform):
    publish("GBP", at=now() - timedelta(days=1))
    healthy = platform.state()

    Organization.objects.create(name="Tokyo", currency="JPY")
    publish("JPY", at=now() - timedelta(days=6))

    assert_fires(
        alert("ExchangeRateOld", pair="USD/JPY"), healthy=healthy, then=platform.state(), after=62
    )


def test_money_that_fits_no_payment_is_told_of(platform: Platform):
    healthy = platform.state()

    intent = IntentFacts(
        id=f"pi_{uuid4().hex}",
        status="succeeded",
        amount=5000,
        received=5000,
        currency="USD",
        livemode=True,
        customer_id="",
        payment_id=None,
        organization_id=None,
        failure_code="",
        card=None,
        refunds=(),
    )
    hold_aside(intent, reason="unknown", now=now())

    assert_fires(alert("PaymentsUnmatched"), healthy=healthy, then=platform.state(), after=62)
