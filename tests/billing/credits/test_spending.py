"""Promotional credit pays before the wallet, and expires."""

from datetime import timedelta

import pytest
from django.db import IntegrityError, connection, transaction

from billing.errors import InsufficientBalanceError
from billing.models import Grant, JournalEntry
from billing.selectors.balances import get_balance, list_balances
from billing.services.credits.expiring import expire_grants
from core.clock import now
from tests.billing.scene import UNIT, Scene, check_deferred

LATER = timedelta(days=40)


def lines(reference: str) -> list[tuple[str, str, int]]:
    entry = JournalEntry.objects.get(idempotency_key=f"generation:{reference}")
    rows = entry.postings.filter(account__organization__isnull=False).order_by("line")
    return [(row.account.code, row.reference[-2:], row.amount_micros) for row in rows]


def spent(grant: Grant) -> tuple[int, int, int]:
    grant.refresh_from_db()
    return grant.held_micros, grant.captured_micros, grant.expired_micros


def test_the_grant_that_expires_first_pays_first_then_the_others_then_the_wallet(scene: Scene):
    late = scene.grant(500_000)
    early = scene.grant(600_000, expires_at=now() + timedelta(days=3))
    scene.top_up(10_000_000)
    hold = scene.authorize(2)

    assert scene.hold(hold.reference).promo_micros == 1_100_000
    assert (spent(early), spent(late)) == ((600_000, 0, 0), (500_000, 0, 0))
    assert scene.promo() == (1_100_000, 1_100_000)
    assert scene.balance() == (10_000_000, 580_000)
    assert scene.findings() == []

    scene.capture(hold.reference, images=2)

    assert lines(hold.reference) == [
        ("wallet_promo", "/0", 840_000),
        ("wallet_promo", "/1", 260_000),
        ("wallet", "/1", 580_000),
    ]
    assert (spent(early), spent(late)) == ((0, 600_000, 0), (0, 500_000, 0))
    assert scene.promo() == (0, 0)
    assert scene.balance() == (9_420_000, 0)
    assert scene.findings() == []


def test_a_part_that_is_delivered_is_paid_by_credit_and_the_rest_comes_back(scene: Scene):
    early = scene.grant(500_000, expires_at=now() + timedelta(days=3))
    late = scene.grant(1_000_000)
    scene.top_up(UNIT)
    hold = scene.authorize(2)

    captured = scene.capture(hold.reference, images=1)

    assert (captured.amount_micros, captured.released_micros) == (UNIT, UNIT)
    assert lines(hold.reference) == [("wallet_promo", "/0", UNIT)]
    assert (spent(early), spent(late)) == ((0, 500_000, 0), (0, 340_000, 0))
    assert scene.promo() == (660_000, 0)
    assert scene.balance() == (UNIT, 0)
    assert scene.findings() == []


def test_release_gives_credit_back_and_what_comes_back_late_expires(scene: Scene):
    grant = scene.grant(UNIT + 5)
    expires_at = grant.expires_at
    scene.top_up(UNIT)
    hold = scene.authorize()

    assert expire_grants(now=expires_at - timedelta(seconds=1)) == 0
    assert expire_grants(now=expires_at) == 1
    assert spent(grant) == (UNIT, 0, 5)
    assert scene.release(hold.reference) == UNIT
    assert scene.promo() == (UNIT, 0)
    assert expire_grants(now=expires_at + LATER) == 1
    assert expire_grants(now=expires_at + LATER) == 0
    assert spent(grant) == (0, 0, UNIT + 5)
    assert scene.promo() == (0, 0)
    assert scene.balance() == (UNIT, 0)
    assert scene.findings() == []


def test_expired_credit_pays_nothing_even_before_it_is_booked(scene: Scene):
    grant = scene.grant(UNIT)
    scene.top_up(UNIT)
    hold = scene.authorize(at=grant.expires_at)

    assert scene.hold(hold.reference).promo_micros == 0
    assert scene.balance() == (UNIT, UNIT)
    with pytest.raises(InsufficientBalanceError), transaction.atomic():
        scene.authorize(at=grant.expires_at)


def test_what_is_missing_is_said_of_both_and_nothing_is_taken(scene: Scene):
    grant = scene.grant(UNIT)
    scene.top_up(UNIT)

    missing = r"needs MXN 2\.52 and MXN 1\.68 is available"
    with pytest.raises(InsufficientBalanceError, match=missing), transaction.atomic():
        scene.authorize(3)

    assert spent(grant) == (0, 0, 0)
    assert (scene.promo(), scene.balance()) == ((UNIT, 0), (UNIT, 0))
    view = get_balance(organization_id=scene.organization_id)
    assert (view.available_micros, view.held_micros, view.promo_micros) == (2 * UNIT, 0, UNIT)
    assert list_balances(organization_ids=[scene.organization_id]) == {scene.organization_id: view}


@pytest.mark.parametrize(
    "change",
    [
        "amount_micros = amount_micros + 1",
        "expires_at = expires_at + interval '1 day'",
        "held_micros = amount_micros + 1",
        "status = 'pending', decided_at = NULL",
    ],
)
def test_the_database_refuses_other_terms_and_more_than_was_given(scene: Scene, change: str):
    grant = scene.grant(UNIT)
    check_deferred()

    with pytest.raises(IntegrityError), transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(f"UPDATE billing_grant SET {change} WHERE id = %s", [grant.id])
