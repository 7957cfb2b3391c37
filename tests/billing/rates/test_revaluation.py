"""Gains and losses of exchange, recomputed here from what was done."""

from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.core.management import CommandError, call_command

from billing.errors import FxRateStaleError, InvalidAmountError
from billing.models import AccountCode, Direction, EntryKind, FxRate, JournalEntry, Posting
from billing.selectors.periods.months import end_of
from billing.selectors.rates.positions import Position, fx_positions
from billing.selectors.reports.gauges import read_gauges
from billing.services.accounts import account, open_platform_accounts
from billing.services.fx import set_rate
from billing.services.ledger import post_entry
from billing.services.rates.checks import check_cross_rates
from billing.services.rates.revaluation import check_revaluations, revalue_fx
from billing.services.rates.spreads import set_spread
from billing.services.verification import verify_ledger
from billing.types import Line
from core.clock import now
from orgs.models import Organization
from tests.billing.scene import Scene, check_deferred
from tests.moments import next_month

pytestmark = pytest.mark.django_db
# Currencies that no other test commits anything in.
PULA, DOLLAR, KIP = "BWP", "BND", "LAK"
# The month after the one in which the tests' entries are booked, so that none is of the day of the
# closing rate: what is earned is worth what the last rate of its day says.
MONTH = next_month().date()
END = end_of(MONTH)
LATER = END + timedelta(days=1)


@pytest.fixture
def scene(db) -> Scene:
    """BWP 100 put in, one image with a spread of 1 % delivered at 20, closing at 21."""
    scene = Scene.create(currency=PULA)
    set_spread(rate=Decimal("0.01"), now=now(), organization_id=scene.organization_id)
    scene.top_up(100_000_000)
    scene.capture(scene.authorize().reference)
    return scene


def close_at(rate: str, currency: str = PULA) -> None:
    """Let a rate be in force on the month's last day."""
    FxRate.objects.create(
        base="USD",
        quote=currency,
        rate=rate,
        source="manual",
        as_of=END - timedelta(hours=1),
        created_at=now(),
    )


def position_in(currency: str) -> Position:
    found = fx_positions(reporting="USD", until=END)
    [position] = [one for one in found if one.currency == currency]
    return position


def booked() -> list[tuple[str, str, int, bool]]:
    """Return the revaluation's postings on `fx_gain_loss`: direction, amount, whether reversed."""
    rows = Posting.objects.filter(
        entry__kind=EntryKind.REVALUATION,
        entry__reference=f"{MONTH:%Y-%m}:{PULA}",
        account__code="fx_gain_loss",
    ).order_by("entry__booked_at", "entry__effective_at")
    return [
        (one.currency, one.direction, one.amount_micros, one.entry.effective_at.day == 1)
        for one in rows.select_related("entry")
    ]


def test_the_worked_example_of_the_documentation(scene):
    close_at("21")

    [position] = [one for one in revalue_fx(month=MONTH, now=LATER) if one.currency == PULA]

    # Cash 100, owed to the wallet 99.1516: 0.8484 are ours, worth 0.042 + 0.0084 / 20 when earned.
    assert dict(position.balances) == {"cash": 100_000_000, "wallet": -99_151_600}
    assert (position.net_micros, position.origin_micros) == (848_400, 42_420)
    assert (position.rate.rate, position.closing_micros) == (Decimal(21), 40_400)
    assert booked() == [("USD", "debit", 2_020, False), ("USD", "credit", 2_020, True)]
    check_deferred()
    assert list(check_revaluations()) == []
    assert scene.findings() == []


def test_a_gain_is_booked_the_other_way_round_and_only_once(scene):
    close_at("16")
    revalue_fx(month=MONTH, now=LATER)
    revalue_fx(month=MONTH, now=LATER)

    # 0.8484 / 16 - 0.04242
    assert booked() == [("USD", "credit", 10_605, False), ("USD", "debit", 10_605, True)]


def test_a_late_entry_is_followed_by_the_difference(scene):
    close_at("21")
    revalue_fx(month=MONTH, now=LATER)
    scene.capture(scene.authorize().reference)
    revalue_fx(month=MONTH, now=LATER)

    assert [one[2] for one in booked()] == [2_020] * 4


def test_exchanging_the_money_makes_the_gain_final(scene):
    """What is sold leaves no position; what it brought more or less stays as gain or loss."""
    lines = [
        Line(account(AccountCode.CASH, "USD"), Direction.DEBIT, 50_000),
        Line(account(AccountCode.FX_CLEARING, "USD"), Direction.CREDIT, 50_000),
        Line(account(AccountCode.FX_CLEARING, PULA), Direction.DEBIT, 848_400),
        Line(account(AccountCode.CASH, PULA), Direction.CREDIT, 848_400),
    ]
    post_entry(kind=EntryKind.ADJUSTMENT, idempotency_key="sale", lines=lines, now=now())
    close_at("33")

    position = position_in(PULA)

    assert (position.net_micros, position.closing_micros) == (0, 0)
    assert position.gain_micros == 50_000 - 42_420


def test_a_price_list_in_the_wallets_currency_is_worth_what_its_day_says(db):
    scene = Scene.create(currency=DOLLAR, rate="0.8")
    scene.top_up(10_000_000)
    lines = [
        Line(account(AccountCode.WALLET, DOLLAR, scene.organization_id), "debit", 800_000),
        Line(account(AccountCode.REVENUE, DOLLAR), "credit", 800_000),
    ]
    post_entry(kind=EntryKind.ADJUSTMENT, idempotency_key="eur", lines=lines, now=now())
    close_at("0.5", DOLLAR)

    position = position_in(DOLLAR)

    assert (position.origin_micros, position.closing_micros) == (1_000_000, 1_600_000)


def test_without_a_closing_rate_nothing_is_booked(scene):
    FxRate.objects.create(
        base="USD",
        quote=PULA,
        rate=20,
        source="manual",
        as_of=now(),
        valid_until=now(),
        created_at=now(),
    )

    with pytest.raises(FxRateStaleError):
        revalue_fx(month=MONTH, now=LATER)
    assert not JournalEntry.objects.filter(kind=EntryKind.REVALUATION).exists()


def test_unmatched_money_in_a_currency_of_nobody_asks_for_no_rate(scene):
    def watched() -> set[str]:
        return {pair for (pair,) in read_gauges(now=now())["lienzo_fx_rate"]}

    open_platform_accounts(currency=KIP)
    lines = [
        Line(account(AccountCode.PAYMENT_CLEARING, KIP), Direction.DEBIT, 1),
        Line(account(AccountCode.SUSPENSE, KIP), Direction.CREDIT, 1),
    ]
    post_entry(kind=EntryKind.ADJUSTMENT, idempotency_key="aside", lines=lines, now=now())
    close_at("21")

    assert KIP not in {one.currency for one in revalue_fx(month=MONTH, now=LATER)}
    rate: dict[str, Any] = {"rate": Decimal(20_000), "source": "manual", "as_of": now()}
    set_rate(base="USD", quote=KIP, now=now(), **rate)
    assert f"USD/{KIP}" not in watched()

    # Who pays in it has to be charged; what was exchanged is revalued, whoever pays in it now.
    Organization.objects.filter(id=scene.organization_id).update(currency=KIP)
    assert {f"USD/{KIP}", f"USD/{PULA}"} <= watched()


def test_a_month_that_is_not_over_is_refused(scene):
    with pytest.raises(InvalidAmountError):
        revalue_fx(month=MONTH, now=now())
    for month in (f"{MONTH:%Y-%m}", "soon"):
        with pytest.raises(CommandError):
            call_command("revalue_fx", "--month", month)


def test_a_revaluation_that_is_not_reversed_is_found(scene):
    lines = [
        Line(account(AccountCode.FX_CLEARING, "USD"), Direction.DEBIT, 1),
        Line(account(AccountCode.FX_GAIN_LOSS, "USD"), Direction.CREDIT, 1),
    ]
    entry = post_entry(
        kind=EntryKind.REVALUATION, idempotency_key="revaluation:x", lines=lines, now=now()
    )

    assert [(one.check, one.row_id) for one in check_revaluations()] == [
        ("revaluation_reversed", str(entry.id))
    ]
    assert "revaluation_reversed" in {one.check for one in verify_ledger(now=now())}


def test_a_cross_rate_unlike_its_legs_is_found(db):
    moment = now()

    def add(base: str, quote: str, rate: str, **legs: FxRate) -> FxRate:
        return FxRate.objects.create(
            base=base, quote=quote, rate=rate, source="ecb", as_of=moment, created_at=moment, **legs
        )

    dollar, peso = add("EUR", "USD", "1.25"), add("EUR", "MXN", "25")
    add("USD", "MXN", "20", base_leg=dollar, quote_leg=peso)
    add("USD", "EUR", "0.8", base_leg=dollar)
    assert list(check_cross_rates()) == []
    wrong = add("MXN", "USD", "0.06", base_leg=peso, quote_leg=dollar)

    assert [one.row_id for one in check_cross_rates()] == [str(wrong.id)]
