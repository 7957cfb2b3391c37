from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from uuid import uuid4

import pytest
from django.db import IntegrityError, transaction

from billing.errors import (
    FxRateStaleError,
    InvalidAmountError,
    ModelNotPricedError,
    PriceConflictError,
)
from billing.models import Markup, PriceVersion
from billing.selectors.prices import active_prices
from billing.services.markups import set_markup
from billing.services.prices import add_price_version, set_price, sync_list_prices
from billing.services.quotes import Cell, quote_unit
from billing.types import PriceRow
from core.clock import now
from tests.billing.scene import UNIT, Scene


def test_quote_is_list_price_times_markup_times_rate_to_the_micro(scene):
    quote = scene.quote()

    assert quote.unit_micros == UNIT
    assert quote.list_unit_micros == 42_000
    assert (quote.list_amount, quote.markup, quote.rate) == (
        Decimal("0.040"),
        Decimal("0.05"),
        Decimal(20),
    )


def test_quote_in_the_list_currency_needs_no_rate(db):
    quote = Scene.create(currency="USD").quote()

    assert (quote.unit_micros, quote.fx_rate_id, quote.rate) == (42_000, None, Decimal(1))


def test_the_exact_size_and_quality_win_over_wildcards(scene):
    for size, quality, amount in (
        ("1024x1024", "", "2"),
        ("", "hd", "3"),
        ("1024x1024", "hd", "4"),
    ):
        set_price(
            model_key=scene.model_key,
            amount=Decimal(amount),
            now=now(),
            size=size,
            quality=quality,
        )

    prices = [
        scene.quote(size=size, quality=quality).list_amount
        for size, quality in (("1x1", ""), ("1024x1024", "low"), ("1x1", "hd"), ("1024x1024", "hd"))
    ]

    assert prices == [Decimal("0.040"), Decimal(2), Decimal(3), Decimal(4)]


def test_a_price_change_holds_for_the_next_quote(scene):
    set_price(model_key=scene.model_key, amount=Decimal("0.080"), now=now())

    assert scene.quote().unit_micros == 2 * UNIT


def test_a_future_price_does_not_hold_yet(scene):
    row = PriceRow("list", scene.model_key, Decimal(9), "USD", "operator", date(2026, 1, 1))
    add_price_version(row=row, active_from=now() + timedelta(hours=1), now=now(), created_by="")

    assert scene.quote().unit_micros == UNIT


def test_a_model_without_price_is_refused_with_the_parameter_named(scene):
    scene.model_key = "test/none"

    with pytest.raises(ModelNotPricedError) as caught:
        scene.quote()

    assert (caught.value.param, caught.value.code) == ("model", "model_not_priced")


def test_a_price_that_rounds_to_nothing_is_refused(db):
    scene = Scene.create(price="0.0000001")

    with pytest.raises(ModelNotPricedError):
        scene.quote()


def test_a_megapixel_price_follows_the_pixels(scene):
    set_price(
        model_key=scene.model_key, amount=Decimal("0.04"), now=now(), size="m", unit="megapixel"
    )

    assert scene.quote(size="m", pixels=1_500_000).unit_micros == 1_260_000


def test_a_missing_rate_is_refused(scene):
    scene.currency = "BTN"

    with pytest.raises(FxRateStaleError):
        scene.quote()


@pytest.mark.parametrize(("source", "stale"), [("ecb", True), ("manual", False), ("sample", False)])
def test_an_old_rate_is_refused_unless_set_by_hand(db, source, stale):
    scene = Scene.create(currency="USD")
    scene.currency = "BTN"
    scene.set_rate("50", source=source, as_of=now() + timedelta(seconds=1))
    later = now() + timedelta(days=8)
    outcome: object = None
    try:
        outcome = quote_unit(
            organization_id=scene.organization_id,
            currency="BTN",
            cell=Cell(scene.model_key, size="", quality="", pixels=1),
            now=later,
        ).rate
    except FxRateStaleError as error:
        outcome = (error.code, error.retryable)

    assert outcome == (("fx_rate_stale", False) if stale else Decimal(50))


def test_a_book_in_the_wallets_currency_is_charged_as_it_stands(scene):
    set_price(model_key=scene.model_key, amount=Decimal("1.5"), now=now(), currency="MXN")

    quote = scene.quote()

    assert (quote.unit_micros, quote.price_book) == (1_500_000, "mxn")
    assert (quote.markup, quote.markup_id, quote.fx_rate_id) == (Decimal(0), None, None)
    assert Scene.create().quote().unit_micros == UNIT


def test_markups_apply_from_the_most_specific_down(scene):
    seen: list[Decimal] = []
    for owner, model in (
        (None, scene.model_key),
        (scene.organization_id, ""),
        (scene.organization_id, scene.model_key),
    ):
        set_markup(rate=Decimal(len(seen) + 1), now=now(), organization_id=owner, model_key=model)
        seen.append(scene.quote().markup)

    assert seen == [Decimal(1), Decimal(2), Decimal(3)]


def test_a_markup_that_is_taken_away_lets_the_next_apply(scene):
    own = {"organization_id": scene.organization_id, "model_key": scene.model_key}
    set_markup(rate=Decimal("0.2"), now=now(), model_key=scene.model_key)
    set_markup(rate=Decimal("0.3"), now=now(), organization_id=scene.organization_id)
    set_markup(rate=Decimal("0.4"), now=now(), **own)

    assert scene.quote().markup == Decimal("0.4")
    set_markup(rate=None, now=now(), **own)
    assert scene.quote().markup == Decimal("0.3")
    set_markup(rate=None, now=now(), organization_id=scene.organization_id)
    assert scene.quote().markup == Decimal("0.2")
    set_markup(rate=None, now=now(), model_key=scene.model_key)
    assert scene.quote().markup == Decimal("0.05")
    with pytest.raises(InvalidAmountError):
        set_markup(rate=None, now=now())
    with pytest.raises(IntegrityError), transaction.atomic():
        Markup.objects.create(scope="platform", active_from=now(), created_at=now())
    set_markup(rate=Decimal("0.4"), now=now(), **own)
    assert scene.quote().markup == Decimal("0.4")


def test_sync_is_idempotent_and_keeps_a_later_operator_price(scene):
    published = PriceRow(
        "list", scene.model_key, Decimal("0.05"), "USD", "catalog", date(2026, 1, 1)
    )

    first = sync_list_prices(rows=[published], now=now())
    again = sync_list_prices(rows=[published], now=now())

    assert (first, again) == (1, 0)
    assert scene.quote().list_amount == Decimal("0.040")


def test_sync_refuses_a_changed_amount_of_the_same_date(scene):
    row = PriceRow(
        "cost", "", Decimal("0.05"), "USD", "catalog", date(2026, 1, 1), route=f"test/{uuid4().hex}"
    )
    sync_list_prices(rows=[row], now=now())

    with pytest.raises(PriceConflictError):
        sync_list_prices(rows=[replace(row, amount=Decimal("0.06"))], now=now())

    assert PriceVersion.objects.filter(route=row.route, kind="cost").count() == 1


@pytest.mark.parametrize("amount", ["0", "-1", "NaN", "Infinity", "0.00000000001"])
def test_a_list_price_that_is_no_price_is_refused(scene, amount):
    with pytest.raises(InvalidAmountError):
        set_price(model_key=scene.model_key, amount=Decimal(amount), now=now())


def test_active_prices_lists_the_newest_of_each(scene):
    set_price(model_key=scene.model_key, amount=Decimal("0.07"), now=now())
    set_price(model_key=scene.model_key, amount=Decimal("0.09"), now=now(), size="s")

    mine = [p for p in active_prices(kind="list", now=now()) if p.model_key == scene.model_key]

    assert [(p.size, p.amount) for p in mine] == [("", Decimal("0.07")), ("s", Decimal("0.09"))]
    assert all(p.active_from > datetime(2026, 1, 1, tzinfo=UTC) for p in mine)
