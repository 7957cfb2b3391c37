"""Which rate of a pair is in force."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from functools import partial

import pytest

from billing.errors import FxRateStaleError
from billing.models import FxRate
from billing.selectors.rates.force import rates_in_force
from billing.services.quotes import Cell, quote_unit
from tests.billing.scene import Scene

pytestmark = pytest.mark.django_db
# A Thursday; the Friday after it is an ordinary one.
NOW = datetime(2026, 10, 15, 9, tzinfo=UTC)
DAY = timedelta(days=1)


def add(source: str, rate: str, age: float, *, until: float | None = None) -> None:
    """Add a rate for a pair of currencies that no other test has."""
    FxRate.objects.create(
        base="USD",
        quote="TOP",
        rate=Decimal(rate),
        source=source,
        as_of=NOW - age * DAY,
        valid_until=None if until is None else NOW - until * DAY,
        created_at=NOW,
    )


def in_force(at: datetime = NOW):
    return rates_in_force(pairs=[("USD", "TOP")], at=at).get(("USD", "TOP"))


def names(at: datetime = NOW) -> str:
    found = in_force(at)
    return "none" if found is None else f"{found.source} {found.rate.normalize():f}"


def test_the_first_source_that_is_not_stale_wins(settings):
    settings.FX_SOURCES = {"USD/TOP": ["banxico", "ecb"], "*": ["ecb"]}
    add("ecb", "2", 1)
    add("ecb", "3", 2)
    assert names() == "ecb 2"
    add("banxico", "4", 2)
    assert names() == "banxico 4"
    assert names(NOW + 7 * DAY) == "banxico 4", "all are stale: the first is named"
    add("ecb", "5", -7)
    assert names(NOW + 7 * DAY) == "ecb 5"
    settings.FX_SOURCES = {"*": ["ecb"]}
    assert names() == "ecb 2"


def test_a_manual_rate_wins_until_its_end_and_no_older_one_comes_back():
    add("ecb", "2", 0.5)
    add("manual", "3", 30)
    assert names() == "manual 3"
    add("manual", "4", 2, until=-1)
    assert names() == "manual 4"
    assert names(NOW + DAY) == "ecb 2"
    add("manual", "5", -2)
    assert (names(), names(NOW + 2 * DAY)) == ("manual 4", "manual 5")


def test_a_sample_is_the_last_resort_and_unknown_sources_are_none():
    add("somebody", "9", 0)
    assert names() == "none"
    add("sample", "2", 300)
    assert names() == "sample 2"
    add("ecb", "3", 1)
    assert names() == "ecb 3"
    assert names(NOW + 60 * DAY) == "sample 2"


def test_weekends_and_holidays_do_not_make_a_rate_stale():
    settings_days = 5
    FxRate.objects.create(
        base="USD",
        quote="TOP",
        rate=Decimal(2),
        source="ecb",
        # Wednesday before Christmas: 25 and 26 December, 1 January and weekends do not count.
        as_of=datetime(2026, 12, 23, 13, 15, tzinfo=UTC),
        created_at=NOW,
    )

    ages = {
        day: (found.age_days, found.is_stale)
        for day in (28, 31)
        if (found := in_force(datetime(2026, 12, day, 13, tzinfo=UTC)))
    }
    assert ages == {28: (2, False), 31: (settings_days, False)}
    january = in_force(datetime(2027, 1, 4, 14, tzinfo=UTC))
    assert january is not None
    assert (january.age_days, january.is_stale) == (6, True)


def test_a_quote_refuses_a_stale_rate_and_takes_a_fresh_one():
    scene = Scene.create(currency="USD")
    cell = Cell(scene.model_key, size="", quality="", pixels=1)
    quote = partial(quote_unit, organization_id=scene.organization_id, currency="TOP", cell=cell)
    at = scene.at + DAY
    for as_of, fails in ((at - 20 * DAY, True), (at - timedelta(hours=1), False)):
        FxRate.objects.create(
            base="USD", quote="TOP", rate=2, source="ecb", as_of=as_of, created_at=NOW
        )
        if fails:
            with pytest.raises(FxRateStaleError, match="too old"):
                quote(now=at)
        else:
            assert quote(now=at).rate == 2
