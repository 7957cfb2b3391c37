"""Figures are the sums of their rows, in days of the organization's zone, counted or not yet."""

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from uuid import UUID

import pytest

from gateway.selectors.figures import (
    DayTotals,
    Scope,
    day_totals,
    days_left,
    latencies,
    quantile,
    spend_by,
    totals_by,
)
from gateway.services.rollups import roll_up
from tests.gateway.services.rows import add_generation, open_key
from tests.gateway.services.test_rollups import charge

NOON = datetime(2026, 10, 15, 12, tzinfo=UTC)
DAY = date(2026, 10, 15)


@pytest.mark.django_db
@pytest.mark.parametrize("is_counted", [True, False])
def test_figures_sum_their_rows(is_counted, django_assert_num_queries):
    key = open_key()
    for number in range(3):
        charge(key, NOON + timedelta(minutes=number), model=f"m{number // 2}")
    charge(key, NOON + timedelta(days=1), model="m2")
    for code, minutes in (("a", 0), ("a", 1), ("b", 2)):
        add_generation(
            key,
            status="failed",
            error={"code": code},
            finished_at=NOON + timedelta(minutes=minutes),
        )
    while is_counted and roll_up():
        pass
    scope = Scope(key.organization_id, "UTC", DAY - timedelta(days=1), DAY + timedelta(days=1))

    with django_assert_num_queries(4):
        totals = day_totals(scope)
        spend = spend_by(scope, series=1)
        times = latencies(scope, by="model")
        groups = totals_by(scope)

    assert totals == [
        DayTotals(DAY - timedelta(days=1)),
        DayTotals(DAY, 126_000, 3, succeeded=3, failed=3),
        DayTotals(DAY + timedelta(days=1), 42_000, 1, succeeded=1),
    ]
    assert [(one.group, one.day.day, one.micros) for one in spend] == [
        ("m0", 15, 84_000),
        (None, 15, 42_000),
        (None, 16, 42_000),
    ]
    assert [(one.group, one.day.day, one.count) for one in times] == [
        ("m0", 15, 2),
        ("m1", 15, 1),
        ("m2", 16, 1),
    ]
    assert all(one.p50_s == pytest.approx(5, rel=0.1) for one in times)
    assert [(one.code, one.count) for one in groups[-1].failures] == [("a", 2), ("b", 1)]
    assert [(one.group, one.images, one.micros, one.failed) for one in groups] == [
        ("m0", 2, 84_000, 0),
        ("m1", 1, 42_000, 0),
        ("m2", 1, 42_000, 0),
        ("fal/flux-1.1-pro", 0, 0, 3),
    ]
    assert groups[0].p95_s == pytest.approx(5, rel=0.2)
    by_user = [(one.group, one.micros) for one in totals_by(scope, by="user")]
    assert by_user == [("", 168_000)]
    assert sum(one.micros for one in spend_by(replace(scope, user=""), by="user")) == 168_000
    assert totals_by(replace(scope, api_key_id=UUID(int=0)), by="api_key_id") == []
    filtered = Scope(key.organization_id, "UTC", DAY, DAY, model="m1", api_key_id=key.id)
    assert day_totals(filtered) == [DayTotals(DAY, 42_000, 1, succeeded=1)]
    assert days_left(available_micros=420_000, spend=spend, last=DAY + timedelta(days=3)) == 10
    assert days_left(available_micros=1, spend=[], last=DAY) is None


def test_quantiles_lie_within_their_step():
    assert quantile({0: 50, 4: 50}, 0.5) == pytest.approx(2**0.25)
    assert 2 < quantile({0: 50, 4: 50}, 0.95) < 2**1.25
