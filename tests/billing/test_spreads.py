"""The spread on exchange rates: priced, stored in the hold, booked apart, verified."""

from decimal import Decimal

import pytest
from django.db import connection

from billing.digests import hold_digest
from billing.errors import InvalidAmountError, ModelNotPricedError, UnknownCurrencyError
from billing.models import FxSpread, Hold, Posting
from billing.services.rates.spreads import set_spread
from core.clock import now
from tests.billing.scene import UNIT, Scene, check_deferred


def booked(scene: Scene, reference: str) -> dict[tuple[str, str], int]:
    """Return what was booked, by account and currency; credits are negative."""
    sums: dict[tuple[str, str], int] = {}
    for one in Posting.objects.filter(entry__reference=reference).select_related("account"):
        key = (one.account.code, one.currency)
        sign = 1 if one.direction == "debit" else -1
        sums[key] = sums.get(key, 0) + sign * one.amount_micros
    return sums


def test_a_spread_is_priced_stored_and_booked_apart_to_the_micro(scene):
    scene.top_up(10_000_000)
    spread_id = set_spread(rate=Decimal("0.0125"), now=now(), organization_id=scene.organization_id)

    quote = scene.quote()
    reference = scene.authorize(3, quote=quote).reference
    scene.capture(reference, images=2)
    check_deferred()

    # 0.040 x 1.05 x 20 x 1.0125 = 0.8505
    assert (quote.unit_micros, quote.spread, quote.spread_id) == (
        850_500,
        Decimal("0.0125"),
        spread_id,
    )
    hold = scene.hold(reference)
    assert (hold.rate, hold.spread, hold.spread_version_id) == (20, Decimal("0.0125"), spread_id)
    assert booked(scene, reference) == {
        ("wallet", "MXN"): 2 * 850_500,
        ("fx_clearing", "MXN"): -2 * UNIT,
        ("fx_spread", "MXN"): -2 * 10_500,
        ("fx_clearing", "USD"): 2 * 42_000,
        ("revenue", "USD"): -2 * 42_000,
    }
    assert scene.findings() == []


def test_without_a_spread_nothing_changes(scene):
    scene.top_up(1_000_000)
    reference = scene.authorize().reference
    scene.capture(reference)

    assert booked(scene, reference)["fx_clearing", "MXN"] == -UNIT
    assert ("fx_spread", "MXN") not in booked(scene, reference)
    hold = scene.hold(reference)
    hold.inputs, hold.spread, hold.spread_version_id = 0, Decimal(0), None
    assert hold_digest(hold) == bytes(hold.digest)


def test_the_most_specific_spread_applies_and_the_setting_where_there_is_none(scene, settings):
    settings.FX_SPREAD = Decimal("0.5")
    seen = [scene.quote().spread]
    for number, terms in enumerate(
        (
            {},
            {"base": "USD", "quote": "MXN"},
            {"organization_id": scene.organization_id},
            {"organization_id": scene.organization_id, "base": "USD", "quote": "MXN"},
        ),
        start=1,
    ):
        set_spread(rate=Decimal(number) / 100, now=now(), **terms)
        seen.append(scene.quote().spread)
    set_spread(rate=Decimal("0.9"), now=now(), base="USD", quote="EUR")
    set_spread(rate=Decimal("0.9"), now=now(), organization_id=Scene.create().organization_id)

    assert [str(one.normalize()) for one in seen] == ["0.5", "0.01", "0.02", "0.03", "0.04"]
    assert scene.quote().spread == Decimal("0.04")


def test_a_wallet_in_the_list_currency_pays_no_spread(db, settings):
    settings.FX_SPREAD = Decimal("0.5")
    quote = Scene.create(currency="USD").quote()

    assert (quote.unit_micros, quote.spread, quote.spread_id) == (42_000, Decimal(0), None)


def test_a_price_that_is_nothing_but_spread_is_refused(db, settings):
    settings.FX_SPREAD = Decimal("0.9")
    # 0.0000015 x 1.05 x 0.3 is less than half a micro, and more than half with the spread.
    with pytest.raises(ModelNotPricedError):
        Scene.create(currency="EUR", price="0.0000015", rate="0.3").quote()


@pytest.mark.parametrize(
    ("change", "check"),
    [
        ("spread = 0", "hold_price_source"),
        ("spread_version_id = NULL", "hold_digest"),
        ("spread = 0.02", "hold_price_source"),
    ],
)
def test_a_changed_spread_of_a_hold_is_found(scene, change, check):
    scene.top_up(10_000_000)
    set_spread(rate=Decimal("0.01"), now=now(), organization_id=scene.organization_id)
    reference = scene.authorize().reference
    scene.capture(reference)
    check_deferred()
    with connection.cursor() as cursor:
        cursor.execute("ALTER TABLE billing_hold DISABLE TRIGGER USER")
        cursor.execute(f"UPDATE billing_hold SET {change} WHERE reference = %s", [reference])

    assert check in {finding.check for finding in scene.findings()}


def test_a_spread_booked_as_exchange_is_found(scene):
    scene.top_up(10_000_000)
    set_spread(rate=Decimal("0.01"), now=now(), organization_id=scene.organization_id)
    reference = scene.authorize().reference
    scene.capture(reference)
    moved = Posting.objects.get(entry__reference=reference, account__code="fx_spread")
    clearing = Posting.objects.get(
        entry__reference=reference, account__code="fx_clearing", currency="MXN"
    )
    check_deferred()
    with connection.cursor() as cursor:
        cursor.execute("ALTER TABLE billing_posting DISABLE TRIGGER USER")
        cursor.execute(
            "UPDATE billing_posting SET account_id = %s WHERE id = %s",
            [clearing.account_id, moved.id],
        )

    assert "hold_spread" in {finding.check for finding in scene.findings()}


@pytest.mark.parametrize("rate", ["-0.01", "1", "0.0000001", "NaN"])
def test_what_is_no_spread_is_refused(db, rate):
    with pytest.raises(InvalidAmountError):
        set_spread(rate=Decimal(rate), now=now())


@pytest.mark.parametrize(
    ("pair", "error"),
    [
        (("USD", ""), InvalidAmountError),
        (("USD", "USD"), InvalidAmountError),
        (("USD", "QQQ"), UnknownCurrencyError),
    ],
)
def test_a_spread_is_for_a_whole_pair_of_currencies(db, pair, error):
    with pytest.raises(error):
        set_spread(rate=Decimal(0), now=now(), base=pair[0], quote=pair[1])

    assert not FxSpread.objects.exists()
    assert not Hold.objects.filter(spread__gt=0).exists()
