from datetime import UTC, date, datetime
from decimal import Decimal
from uuid import uuid4

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from billing.errors import (
    BudgetExceededError,
    HoldClosedError,
    HoldNotFoundError,
    InsufficientBalanceError,
)
from billing.models import BudgetPeriod, Hold, JournalEntry
from billing.selectors.balances import get_balance
from billing.selectors.entries import capture_lines, entries_for
from billing.selectors.holds import find_capture, find_hold, open_holds
from billing.services.budgets import open_key_budget, set_limit
from billing.services.prices import set_price
from core.clock import now
from orgs.models import Organization
from tests.billing.scene import UNIT, Scene, check_deferred


def test_one_image_costs_exactly_eighty_four_centavos(scene):
    scene.top_up(10_000_000)
    hold = scene.authorize()

    captured = scene.capture(hold.reference)

    check_deferred()
    assert captured.amount_micros == UNIT
    view = get_balance(organization_id=scene.organization_id)
    assert (view.currency, view.available_micros, view.held_micros) == ("MXN", 9_160_000, 0)
    [entry] = entries_for(reference=hold.reference)
    assert [(p.account_code, p.direction, p.amount_micros, p.currency) for p in entry.postings] == [
        ("wallet", "debit", 840_000, "MXN"),
        ("fx_clearing", "credit", 840_000, "MXN"),
        ("fx_clearing", "debit", 42_000, "USD"),
        ("revenue", "credit", 42_000, "USD"),
    ]
    assert scene.findings() == []


def test_a_partial_capture_charges_each_delivered_image_once_and_gives_the_rest_back(scene):
    scene.top_up(10_000_000)
    hold = scene.authorize(4)
    assert scene.balance() == (10_000_000, 4 * UNIT)

    captured = scene.capture(hold.reference, images=3)

    assert (captured.amount_micros, captured.released_micros) == (3 * UNIT, UNIT)
    assert scene.balance() == (10_000_000 - 3 * UNIT, 0)
    lines = list(capture_lines(reference=hold.reference))
    assert [line.artifact_reference for line in lines] == [
        f"{hold.reference}/{index}" for index in range(3)
    ]
    assert {line.amount_micros for line in lines} == {UNIT}
    assert find_capture(reference=hold.reference) == captured


def test_a_wallet_in_the_list_currency_is_captured_without_clearing(db):
    scene = Scene.create(currency="USD")
    scene.top_up(1_000_000)
    hold = scene.authorize()

    scene.capture(hold.reference)

    [entry] = entries_for(reference=hold.reference)
    assert [(p.account_code, p.amount_micros) for p in entry.postings] == [
        ("wallet", 42_000),
        ("revenue", 42_000),
    ]
    assert scene.findings() == []


def test_a_capture_charges_the_price_of_the_hold_whatever_happened_since(scene):
    scene.top_up(10_000_000)
    hold = scene.authorize()
    set_price(model_key=scene.model_key, amount=Decimal(1), now=now())
    scene.set_rate("99")

    assert scene.capture(hold.reference).amount_micros == UNIT
    assert scene.findings() == []


def test_a_release_charges_nothing(scene):
    scene.top_up(UNIT)
    hold = scene.authorize()

    assert scene.release(hold.reference) == UNIT

    assert scene.balance() == (UNIT, 0)
    assert entries_for(reference=hold.reference) == []


def test_an_amount_above_the_balance_is_refused_and_nothing_is_written(scene):
    scene.top_up(UNIT - 1)

    with pytest.raises(InsufficientBalanceError) as caught:
        scene.authorize()

    assert "MXN 0.84" in caught.value.message
    assert "MXN 0.839999" in caught.value.message
    assert scene.balance() == (UNIT - 1, 0)
    assert not Hold.objects.filter(organization_id=scene.organization_id).exists()
    assert not BudgetPeriod.objects.filter(budget__organization_id=scene.organization_id).exists()


def test_held_money_is_not_available(scene):
    scene.top_up(2 * UNIT - 1)
    scene.authorize()

    with pytest.raises(InsufficientBalanceError):
        scene.authorize()


def test_an_organization_that_never_paid_has_no_balance(db):
    organization = Organization.objects.create(name="New", currency="MXN")

    assert get_balance(organization_id=organization.id).available_micros == 0


@pytest.mark.parametrize("end", ["capture", "release"])
@pytest.mark.parametrize("again", ["capture", "release"])
def test_a_hold_ends_exactly_once(scene, end, again):
    scene.top_up(UNIT)
    hold = scene.authorize()
    getattr(scene, end)(hold.reference)
    before = (scene.balance(), JournalEntry.objects.filter(reference=hold.reference).count())

    with pytest.raises(HoldClosedError):
        getattr(scene, again)(hold.reference)

    after = (scene.balance(), JournalEntry.objects.filter(reference=hold.reference).count())
    assert after == before


def test_an_unknown_hold_is_not_found(scene):
    with pytest.raises(HoldNotFoundError):
        scene.release(uuid4().hex)


def test_more_images_than_held_are_refused(scene):
    scene.top_up(10 * UNIT)
    hold = scene.authorize(2)

    with pytest.raises(ValueError, match="more images"):
        scene.capture(hold.reference, images=3)

    found = find_hold(reference=hold.reference)
    assert found is not None
    assert found.status == "authorized"


def test_a_key_budget_is_enforced_over_open_and_captured_holds(scene):
    scene.top_up(100 * UNIT)
    open_key_budget(
        organization_id=scene.organization_id,
        api_key_id=scene.api_key_id,
        limit_micros=2_100_000,
    )
    scene.capture(scene.authorize().reference)
    scene.authorize()

    with pytest.raises(BudgetExceededError, match=r"API key.*MXN 0\.84.*MXN 0\.42"):
        scene.authorize()

    scene.authorize(with_key=False)
    assert scene.balance() == (99 * UNIT, 2 * UNIT)
    assert scene.findings() == []


def test_an_organization_budget_set_later_counts_what_the_month_has_seen(scene):
    scene.top_up(100 * UNIT)
    scene.authorize()
    set_limit(organization_id=scene.organization_id, api_key_id=None, limit_micros=UNIT)

    with pytest.raises(BudgetExceededError, match="organization"):
        scene.authorize()

    assert scene.balance() == (100 * UNIT, UNIT)
    assert scene.findings() == []


def test_a_first_hold_above_the_budget_is_refused(scene):
    scene.top_up(100 * UNIT)
    set_limit(organization_id=scene.organization_id, api_key_id=None, limit_micros=UNIT - 1)

    with pytest.raises(BudgetExceededError):
        scene.authorize()


def test_the_budget_month_is_that_of_authorization_in_the_organizations_zone(db):
    scene = Scene.create(time_zone="America/Mexico_City")
    scene.top_up(10 * UNIT)
    # 05:30 UTC on the first of December is still November in Mexico City.
    hold = scene.authorize(quote=scene.quote(), at=datetime(2026, 12, 1, 5, 30, tzinfo=UTC))

    scene.capture(hold.reference)

    assert scene.hold(hold.reference).budget_period == date(2026, 11, 1)
    periods = BudgetPeriod.objects.filter(budget__organization_id=scene.organization_id)
    assert set(periods.values_list("period", "held_micros", "captured_micros")) == {
        (date(2026, 11, 1), 0, UNIT)
    }


def test_open_holds_lists_those_past_their_deadline(scene):
    scene.top_up(10 * UNIT)
    old = scene.authorize(at=datetime(2026, 1, 1, tzinfo=UTC))
    scene.authorize()

    overdue = open_holds(organization_id=scene.organization_id, overdue_at=now())

    assert [hold.id for hold in overdue] == [old.id]
    assert len(open_holds(organization_id=scene.organization_id)) == 2
    assert [f.check for f in scene.findings()] == ["hold_overdue"]


def test_authorize_and_capture_take_two_statements_each(scene):
    scene.top_up(10 * UNIT)
    scene.authorize()
    quote = scene.quote()

    with CaptureQueriesContext(connection) as authorizing:
        hold = scene.authorize(quote=quote)
    with CaptureQueriesContext(connection) as capturing:
        scene.capture(hold.reference)

    for context in (authorizing, capturing):
        statements = [q["sql"] for q in context if "SAVEPOINT" not in q["sql"]]
        assert len(statements) == 2
