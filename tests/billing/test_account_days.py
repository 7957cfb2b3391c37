"""Sums by account and day are what the postings say, counted or not, and are made anew alike."""

from datetime import UTC, date, datetime, timedelta

import pytest
from django.db import connection

from billing.models import AccountCode, AccountDay, Direction, EntryKind, Posting, PostingFact
from billing.selectors.reports.trial_balance import AccountMovement, list_movements
from billing.services.accounts import account
from billing.services.ledger import post_entry
from billing.services.reports.account_days import count_postings, rebuild_account_days
from billing.types import Line
from core.clock import now
from tests.billing.scene import UNIT, Scene
from tests.moments import today


def movements(begins=None, ends=None) -> dict[tuple[str, str], AccountMovement]:
    rows = list_movements(begins=begins or today(), ends=ends or today())
    return {(one.code, one.currency): one for one in rows}


def adjust(scene: Scene, key: str, *, effective_at: datetime) -> None:
    post_entry(
        kind=EntryKind.ADJUSTMENT,
        idempotency_key=key,
        lines=[
            Line(account(AccountCode.REFUNDS, "MXN"), Direction.DEBIT, 7),
            Line(account(AccountCode.WALLET, "MXN", scene.organization_id), Direction.CREDIT, 7),
        ],
        now=now(),
        effective_at=effective_at,
    )


def test_sums_are_the_same_counted_and_uncounted(scene):
    while count_postings():
        pass
    before = movements()
    scene.top_up(10 * UNIT)
    scene.capture(scene.authorize(2).reference, images=2)
    uncounted = movements()
    assert PostingFact.objects.exists()

    count_postings()
    scene.top_up(UNIT)
    count_postings(limit=1)

    assert PostingFact.objects.exists(), "half counted"
    wallet, was = movements()["wallet", "MXN"], before.get(("wallet", "MXN"))
    assert uncounted["wallet", "MXN"].closing - (was.closing if was else 0) == 8 * UNIT
    assert wallet.closing - uncounted["wallet", "MXN"].closing == UNIT
    assert scene.findings() == []


def test_every_currency_balances_before_and_within_a_period(scene):
    scene.top_up(10 * UNIT)
    scene.capture(scene.authorize().reference)
    scene.set_rate("21")
    adjust(scene, f"old:{scene.organization_id}", effective_at=now() - timedelta(days=40))

    rows = list_movements(begins=today(), ends=today())

    assert {row.currency for row in rows} >= {"MXN", "USD"}
    for currency in {row.currency for row in rows}:
        mine = [row for row in rows if row.currency == currency]
        assert sum(row.opening_debit for row in mine) == sum(row.opening_credit for row in mine)
        assert sum(row.debit for row in mine) == sum(row.credit for row in mine)


def test_a_day_is_that_of_the_effect_in_utc(scene):
    old = datetime(2019, 3, 1, 0, 0, tzinfo=UTC)
    adjust(scene, f"first:{scene.organization_id}", effective_at=old)
    adjust(scene, f"before:{scene.organization_id}", effective_at=old - timedelta(seconds=1))

    day, eve = old.date(), old.date() - timedelta(days=1)

    assert movements(eve, eve)["refunds", "MXN"].closing == 7
    assert movements(day, day)["refunds", "MXN"].opening == 7
    assert movements(day, day)["refunds", "MXN"].closing == 14
    assert ("refunds", "MXN") not in movements(date(2018, 1, 1), eve - timedelta(days=1))


@pytest.mark.parametrize("counted", [True, False])
def test_a_sum_unlike_its_postings_is_named(scene, counted):
    scene.top_up(UNIT)
    if counted:
        count_postings()
    wallet = account(AccountCode.WALLET, "MXN", scene.organization_id)
    table = AccountDay if counted else PostingFact
    assert table.objects.filter(account_id=wallet.id).update(credit_micros=UNIT + 1) == 1

    [found] = scene.findings()

    assert (found.check, found.row_id) == ("account_day", str(wallet.id))
    assert str(UNIT + 1) in found.message


def test_a_posting_that_went_missing_is_named(scene):
    scene.top_up(UNIT)
    wallet = account(AccountCode.WALLET, "MXN", scene.organization_id)
    with connection.cursor() as cursor:
        cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")
        cursor.execute("ALTER TABLE billing_posting DISABLE TRIGGER USER")
        Posting.objects.filter(account_id=wallet.id).delete()

    assert ("account_day", str(wallet.id)) in {
        (found.check, found.row_id) for found in scene.findings()
    }


@pytest.mark.usefixtures("committed")
def test_sums_made_anew_say_the_same():
    scene = Scene.create()
    scene.top_up(10 * UNIT)
    scene.capture(scene.authorize().reference)
    count_postings()
    scene.top_up(UNIT)
    before = list_movements(begins=today(), ends=today())

    rebuild_account_days()

    assert list_movements(begins=today(), ends=today()) == before
    assert scene.findings() == []
