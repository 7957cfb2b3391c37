"""Fetching rates over HTTP: once each, tolerant of failures, suspicious of jumps."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest

from billing.models import FxRate, RateCandidate
from billing.selectors.rates.force import rates_in_force
from billing.services.rates.fetching import fetch_rates, load_shipped_rates
from core.clock import now
from tests.billing.scene import Scene
from tests.moments import today

pytestmark = pytest.mark.django_db


def fetched(at: datetime | None = None) -> dict[str, tuple[int, int, bool]]:
    return {
        one.source: (one.added, one.aside, bool(one.error)) for one in fetch_rates(now=at or now())
    }


def newest(source: str, base: str, quote: str) -> FxRate:
    return FxRate.objects.filter(source=source, base=base, quote=quote).latest("as_of")


def test_rates_are_recorded_once_with_the_cross_rates_made_of_them(publishers):
    publishers.say("ecb", f"{today()}", USD="1.1172", MXN="21.1237")
    publishers.say("banxico", f"{today()}", MXN="18.9000")

    first = fetched()
    count = FxRate.objects.count()
    publishers.say("ecb", f"{today()}", USD="1.2000", MXN="30.0000")

    assert first["ecb"][0] > 29 * 55
    assert first["banxico"][0] > 55
    assert fetched() == {"ecb": (0, 0, False), "banxico": (0, 0, False)}
    assert FxRate.objects.count() == count
    cross = newest("ecb", "USD", "MXN")
    # 21.1237 / 1.1172
    assert cross.rate == Decimal("18.9077157179")
    assert cross.base_leg is not None
    assert cross.quote_leg is not None
    assert (cross.base_leg.quote, cross.base_leg.rate) == ("USD", Decimal("1.1172"))
    assert (cross.quote_leg.quote, cross.quote_leg.rate) == ("MXN", Decimal("21.1237"))
    assert newest("ecb", "USD", "EUR").rate == Decimal("0.8950948801")
    assert newest("banxico", "USD", "MXN").rate == Decimal("18.9")


def test_one_source_that_fails_stops_no_other_and_is_logged(publishers, caplog):
    publishers.fail("ecb")
    scene = Scene.create(currency="USD")
    scene.currency = "MXN"

    result = fetched()

    assert result["ecb"] == (0, 0, True)
    assert result["banxico"][0] > 0
    assert "billing.rates.source_failed source=ecb" in caplog.text
    assert scene.quote().rate == 20


def test_a_server_that_is_not_there_changes_nothing(publishers, settings):
    settings.ECB_BASE_URL = "http://127.0.0.1:9/ecb"
    settings.BANXICO_TOKEN = ""

    assert fetched() == {"ecb": (0, 0, True)}
    assert not FxRate.objects.filter(source="ecb").exists()


def test_a_refused_token_is_a_failure(publishers, settings):
    settings.BANXICO_TOKEN = "bad"
    publishers.fail("ecb")

    assert fetched()["banxico"] == (0, 0, True)


def test_what_an_emulator_says_is_a_sample(publishers, settings):
    settings.SANDBOX_BASE_URL = publishers.url
    publishers.fail("ecb")

    fetched()

    assert set(FxRate.objects.values_list("source", flat=True)) == {"sample"}


def test_a_jump_is_kept_aside_and_so_are_the_rates_made_of_it(publishers):
    fetched()
    before = newest("ecb", "USD", "MXN")
    publishers.say("ecb", f"{today()}", MXN="27.0000")  # a quarter more
    publishers.say("banxico", f"{today()}", MXN="23.9")  # just within

    assert fetched() == {"ecb": (28, 1, False), "banxico": (1, 0, False)}

    assert newest("ecb", "USD", "MXN") == before
    assert newest("ecb", "USD", "JPY").as_of > before.as_of
    [candidate] = RateCandidate.objects.all()
    assert (candidate.base, candidate.quote, candidate.status) == ("EUR", "MXN", "waiting")
    assert candidate.previous.rate == Decimal("21.74")
    # The same again is known, and no new jump.
    assert fetched() == {"ecb": (0, 0, False), "banxico": (0, 0, False)}


def test_the_shipped_history_starts_a_system_without_a_network(db):
    at = datetime(2026, 11, 2, 9, tzinfo=UTC)
    result = load_shipped_rates(now=at)

    assert result.added > 29 * 60
    assert result.error == ""
    found = rates_in_force(pairs=[("USD", "MXN")], at=at)["USD", "MXN"]
    assert (found.source, found.rate, found.age_days) == ("ecb", Decimal("18.9077157179"), 1)
    assert rates_in_force(pairs=[("USD", "MXN")], at=at + timedelta(days=30))["USD", "MXN"].is_stale
