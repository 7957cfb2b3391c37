"""Rollups and facts together are what happened, at every instant and in any order of commits."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from uuid import UUID, uuid4
from zoneinfo import ZoneInfo

import psycopg
import pytest
from django.db import connection

from billing.services.holds import authorize_hold, capture_hold
from billing.services.prices import set_price
from billing.services.quotes import Cell, quote_unit
from billing.services.topups import top_up
from core.clock import now
from gateway.models import Fact, Generation, Rollup, UserDay
from gateway.selectors.usage import MOST_ROWS, usage
from gateway.services import user_days
from gateway.services.rollup_checks import check_rollups
from gateway.services.rollups import rebuild_rollups, roll_up
from orgs.models import ApiKey, Organization
from tests.gateway.services.rows import add_attempt, add_generation, open_key

NOON = datetime(2026, 10, 15, 12, tzinfo=UTC)


def charge(api_key: ApiKey, instant: datetime, **fields: object) -> Generation:
    """Add a generation that ended at an instant, with an image that was captured then."""
    fields = {"status": "succeeded", "created_at": instant - timedelta(seconds=5), **fields}
    generation = add_generation(api_key, finished_at=instant, **fields)
    set_price(model_key="rolled", amount=Decimal("0.04"), now=instant)
    top_up(
        organization_id=api_key.organization_id,
        amount_micros=1_000_000,
        idempotency_key=str(uuid4()),
        now=instant,
    )
    quote = quote_unit(
        organization_id=api_key.organization_id,
        currency="USD",
        cell=Cell("rolled", "1024x1024", quality="", pixels=1024 * 1024),
        now=now(),
    )
    authorize_hold(
        organization_id=api_key.organization_id,
        api_key_id=api_key.id,
        reference=str(generation.id),
        quote=quote,
        count=1,
        deadline_at=instant + timedelta(seconds=60),
        now=instant - timedelta(seconds=5),
    )
    capture_hold(reference=str(generation.id), artifact_references=[str(uuid4())], now=instant)
    return generation


def charged(
    organization_id: UUID,
    *,
    zone: str = "UTC",
    days: int = 3,
    group: str = "",
    most: int = MOST_ROWS,
) -> list[tuple[object, ...]]:
    """Return requests and micros of the days around noon, by day and perhaps a group."""
    midnight = datetime(2026, 10, 14, tzinfo=ZoneInfo(zone))
    bounds = [(midnight + timedelta(days=day)).astimezone(UTC) for day in range(days + 1)]
    rows = usage(
        organization_id=organization_id,
        zone=zone,
        period=(bounds[0], bounds[-1]),
        bounds=bounds,
        group_by=[group] if group else [],
        most=most,
    )
    return [
        (row.bucket, *((getattr(row, group),) if group else ()), row.requests, row.amount_micros)
        for row in rows
    ]


def roll_all() -> None:
    while roll_up():
        pass


def findings(organization_id: UUID) -> list[str]:
    return [finding.message for finding in check_rollups(organization_id=organization_id)]


@pytest.mark.django_db
def test_figures_are_the_same_before_and_after_they_are_counted():
    key = open_key()
    for minutes in (0, 14, 15, 24 * 60):
        charge(key, NOON + timedelta(minutes=minutes), user="alice" if minutes else "")
    before = charged(key.organization_id), charged(key.organization_id, group="user")
    assert before[0] == [(1, 3, 126_000), (2, 1, 42_000)]

    roll_all()

    assert not Fact.objects.filter(organization_id=key.organization_id).exists()
    charge(key, NOON + timedelta(minutes=1))
    assert charged(key.organization_id) == [(1, 4, 168_000), (2, 1, 42_000)]
    assert charged(key.organization_id, group="user") == [
        (1, "alice", 2, 84_000),
        (1, None, 2, 84_000),
        (2, "alice", 1, 42_000),
    ]
    roll_all()
    assert findings(key.organization_id) == []


@pytest.mark.django_db
def test_days_follow_the_organization_to_another_zone():
    key = open_key()
    charge(key, NOON.replace(hour=2))
    charge(key, NOON.replace(hour=20))
    roll_all()
    zone = "Asia/Kathmandu"

    before = charged(key.organization_id, zone=zone)
    Organization.objects.filter(id=key.organization_id).update(time_zone=zone)
    roll_all()

    # 20:00 UTC is 01:45 of the next day there.
    assert before == [(1, 1, 42_000), (2, 1, 42_000)]
    assert charged(key.organization_id, zone=zone) == before
    assert charged(key.organization_id) == [(1, 2, 84_000)]
    assert findings(key.organization_id) == []


@pytest.mark.django_db
def test_endings_and_costs_are_counted_and_outlive_their_rows():
    key = open_key()
    tested = add_generation(
        key,
        livemode=False,
        status="succeeded",
        parameters={"n": 3},
        undelivered=[{}],
        created_at=NOON,
        finished_at=NOON + timedelta(seconds=4),
    )
    failed = add_generation(key, created_at=NOON, model="rolled")
    Generation.objects.filter(id=failed.id).update(
        status="failed", finished_at=NOON, error={"code": "generation_timeout"}
    )
    add_attempt(failed, number=1, ended_at=NOON, cost_micros=7)
    Generation.objects.filter(id=failed.id).update(answered_at=NOON)

    roll_all()
    tested.delete()

    own = Rollup.objects.filter(organization_id=key.organization_id, grain="day")
    assert set(own.values_list("kind", "label", "livemode", "count", "images", "micros")) == {
        ("succeeded", "8", False, 1, 2, 0),
        ("failed", "generation_timeout", True, 1, 0, 0),
        ("cost", "fal", True, 1, 0, 7),
    }
    assert findings(key.organization_id) == []


@pytest.mark.django_db
def test_changed_rollups_are_named():
    key = open_key()
    charge(key, NOON)
    roll_all()
    own = Rollup.objects.filter(organization_id=key.organization_id, kind="charged")

    own.filter(grain="day").update(micros=1)
    assert len(findings(key.organization_id)) == 1
    own.filter(grain="quarter").update(micros=1)
    assert len(findings(key.organization_id)) == 1
    own.filter(grain="quarter").delete()
    assert len(findings(key.organization_id)) == 2


@pytest.mark.django_db
def test_a_day_names_so_many_users_each_with_all_it_was_charged(monkeypatch):
    monkeypatch.setattr(user_days, "MOST_USERS", 2)
    key = open_key()
    for minute, user in enumerate(("ana", "bo", "ana", "cy")):
        charge(key, NOON + timedelta(minutes=minute), user=user)
    roll_all()
    for minute, user in enumerate(("cy", "bo", "dan"), start=20):
        charge(key, NOON + timedelta(minutes=minute), user=user)
    before = charged(key.organization_id, group="user")
    roll_all()

    # Who came third and later stays with the others.
    assert named(key) == {"ana": 84_000, "bo": 84_000, None: 126_000}
    assert findings(key.organization_id) == []
    # Reports that have all users, and stop where there are enough.
    charge(key, NOON + timedelta(days=1), user="ana")
    assert charged(key.organization_id, group="user") == [*before, (2, "ana", 1, 42_000)]
    assert charged(key.organization_id, group="user", most=1) == before
    assert {row[1:3] for row in before} == {("ana", 2), ("bo", 2), ("cy", 2), ("dan", 1)}
    own = UserDay.objects.filter(organization_id=key.organization_id)
    own.filter(user="ana").update(micros=1)
    assert len(findings(key.organization_id)) == 1
    own.filter(user="ana").delete()
    assert findings(key.organization_id)

    monkeypatch.setattr(user_days, "MOST_USERS", 3)
    assert findings(key.organization_id)
    move(key)
    assert named(key) == {"ana": 84_000, "bo": 84_000, "cy": 84_000, None: 42_000}
    assert findings(key.organization_id) == []


def named(key: ApiKey) -> dict[str | None, int]:
    """Return what the day of noon says of its users."""
    rows = UserDay.objects.filter(organization_id=key.organization_id, starts_at__lt=NOON)
    return {None if row.is_others else row.user: row.micros for row in rows}


def move(key: ApiKey) -> None:
    """Have the days made anew, as when an organization moves."""
    Organization.objects.filter(id=key.organization_id).update(time_zone="Europe/London")
    roll_all()


def test_late_commits_are_counted_once(committed):
    key = open_key()
    add_generation(key, id=(early := uuid4()), created_at=NOON)
    add_generation(key, id=(late := uuid4()), created_at=NOON)
    end = "UPDATE gateway_generation SET status = 'canceled', finished_at = %s WHERE id = %s"
    with psycopg.connect(**connection.get_connection_params()) as other:
        # Its fact has the lower id and comes after the other was counted.
        other.execute(end, [NOON, late])
        Generation.objects.filter(id=early).update(status="canceled", finished_at=NOON)
        roll_all()
        assert counted(key) == 1
        other.commit()

    assert Fact.objects.filter(organization_id=key.organization_id).count() <= 1
    roll_all()
    assert counted(key) == 2
    roll_all()
    assert counted(key) == 2
    assert findings(key.organization_id) == []


def test_rebuilding_loses_nothing_that_happens_meanwhile(committed):
    key = open_key()
    for _ in range(2):
        add_generation(key, status="canceled", finished_at=NOON)
    roll_all()
    add_generation(key, status="canceled", finished_at=NOON)
    running = add_generation(key)
    Rollup.objects.filter(organization_id=key.organization_id).update(count=9)
    assert findings(key.organization_id)

    with psycopg.connect(**connection.get_connection_params()) as other:
        other.execute(
            "UPDATE gateway_generation SET status = 'canceled', finished_at = %s WHERE id = %s",
            [NOON, running.id],
        )
        rebuild_rollups(organization_id=key.organization_id)
        assert counted(key) == 3
        assert findings(key.organization_id) == []
        other.commit()

    roll_all()
    assert counted(key) == 4
    assert findings(key.organization_id) == []


def counted(key: ApiKey) -> int:
    rows = Rollup.objects.filter(organization_id=key.organization_id, grain="day")
    return sum(rows.values_list("count", flat=True))
