"""Findings are one row for each fault, close by themselves, and are acknowledged by operators."""

import sys
from datetime import timedelta
from decimal import Decimal
from uuid import uuid4

import psycopg
import pytest
from django.db import connection

from billing.services.prices import sync_list_prices
from billing.types import Finding as Violation
from core.clock import now
from core.postgres.locks import CHECKING
from gateway.catalog.prices import list_prices
from gateway.errors import NotFoundError
from gateway.management.commands.bootstrap import price_row
from gateway.models import Breaker, Check, Finding
from gateway.services.operations import checks
from gateway.services.operations.checks import (
    LEDGER,
    PLATFORM,
    check_ledger,
    check_platform,
    request_ledger_check,
)
from gateway.services.operations.findings import Found, Kind, acknowledge, reconcile, report
from gateway.services.operations.gauges import read_rows
from orgs.errors import InvalidInputError, PermissionDeniedError
from orgs.models import AuditEvent
from orgs.services.audit import SYSTEM, user_actor
from tests.gateway.services.rows import add_attempt, add_generation, new_name, open_key
from tests.orgs.people import ORIGIN, person

pytestmark = pytest.mark.django_db


def operator():
    return user_actor(person(staff_role="operator").user, origin=ORIGIN, as_operator=True)


def found(words: str = "held", *, of: str = "h1") -> Found:
    return Found(Kind.HOLD_OVERDUE, "hold", of, words)


def test_a_fault_is_one_row_however_often_it_is_seen():
    at = now()
    report(found(), now=at)
    report(found("held still"), now=at + timedelta(seconds=5))

    row = Finding.objects.get()
    assert (row.count, row.words, row.severity) == (2, "held still", "critical")
    assert (row.first_seen_at, row.last_seen_at) == (at, at + timedelta(seconds=5))


def test_a_check_closes_what_it_no_longer_finds_and_nothing_else():
    at = now()
    reconcile([Kind.HOLD_OVERDUE], [found(of="h1"), found(of="h2")], now=at)
    report(Found(Kind.PROVIDER_DOWN, "provider", "fal", "down"), now=at)
    report(found(of="h3"), now=at + timedelta(seconds=20))

    reconcile([Kind.HOLD_OVERDUE], [found(of="h2")], now=at + timedelta(seconds=10))

    still_open = Finding.objects.filter(resolved_at__isnull=True).values_list(
        "object_id", flat=True
    )
    assert set(still_open) == {"h2", "h3", "fal"}


def test_what_comes_back_is_open_again_and_acknowledged_by_nobody():
    at = now()
    report(found(), now=at)
    acknowledge(finding_id=Finding.objects.get().id, note="I look.", actor=operator(), now=at)
    report(found(), now=at + timedelta(seconds=1))
    assert Finding.objects.get().note == "I look."

    reconcile([Kind.HOLD_OVERDUE], [], now=at + timedelta(seconds=2))
    report(found(), now=at + timedelta(seconds=3))

    row = Finding.objects.get()
    assert (row.resolved_at, row.acknowledged_at, row.acknowledged_by, row.note) == (
        None,
        None,
        "",
        "",
    )


def test_an_acknowledgment_is_an_operators_and_is_logged():
    report(found(), now=now())
    finding_id = Finding.objects.get().id
    someone = operator()

    with pytest.raises(PermissionDeniedError):
        acknowledge(finding_id=finding_id, note="Mine.", actor=person().actor, now=now())
    with pytest.raises(InvalidInputError):
        acknowledge(finding_id=finding_id, note=" ", actor=someone, now=now())
    with pytest.raises(NotFoundError):
        acknowledge(finding_id=uuid4(), note="What?", actor=someone, now=now())
    assert Finding.objects.get().acknowledged_at is None

    acknowledge(finding_id=finding_id, note="I look.", actor=someone, now=now())

    assert Finding.objects.get().acknowledged_by == someone.label
    event = AuditEvent.objects.get(action="finding.acknowledged")
    assert (event.organization_id, event.object_id) == (None, str(finding_id))
    assert event.changes["note"] == {"before": "", "after": "I look."}


def test_the_check_of_the_platform_finds_what_lasts_and_closes_it_when_it_is_over():
    api_key, at = open_key(), now()
    stuck = add_generation(api_key, deadline_at=at - timedelta(seconds=90))
    fresh = add_generation(api_key, deadline_at=at - timedelta(seconds=30))
    left = add_generation(
        api_key,
        status="succeeded",
        finished_at=at - timedelta(minutes=11),
        has_stray_objects=True,
    )
    add_attempt(left, number=1, ended_at=at - timedelta(hours=1), status="late", cost_micros=40_000)
    add_attempt(left, number=2, ended_at=at - timedelta(hours=25), status="late")
    Breaker.objects.create(
        provider=new_name(),
        is_open=True,
        reason="OutOfFunds",
        failures=1,
        calls=1,
        opened_at=at,
        retry_at=at,
        cooldown_s=5,
    )

    assert check_platform(now=at) == 4

    kinds = dict(Finding.objects.values_list("kind", "object_id"))
    assert kinds["generation.stuck"] == str(stuck.id) != str(fresh.id)
    assert kinds["objects.left"] == str(left.id)
    assert "1 results" in Finding.objects.get(kind="provider.late_results").words
    assert Finding.objects.get(kind="provider.out_of_funds").severity == "critical"
    assert Check.objects.get(name=PLATFORM).found == 4

    Breaker.objects.update(is_open=False, closed_at=at)
    stuck.delete()
    check_platform(now=at + timedelta(minutes=1))

    closed = Finding.objects.filter(resolved_at__isnull=False).values_list("kind", flat=True)
    assert set(closed) == {"generation.stuck", "provider.out_of_funds"}


def test_the_check_of_the_ledger_writes_findings_once_a_day_and_when_asked():
    sync_list_prices(rows=[price_row(price) for price in list_prices()], now=now())
    api_key = open_key()
    at = now().replace(hour=5)
    add_generation(api_key, status="running", claim_token=uuid4())

    assert check_ledger(now=at)

    row = Finding.objects.get(kind="ledger.violation")
    assert "is open without an open hold" in row.words
    check = Check.objects.get(name=LEDGER)
    assert (check.done, check.found) == (check.total, 1)
    assert not check_ledger(now=at + timedelta(hours=1))

    request_ledger_check(actor=SYSTEM, now=at + timedelta(hours=2))
    api_key.organization.generation_set.update(status="failed", finished_at=at)
    assert check_ledger(now=at + timedelta(hours=2, seconds=1))

    row.refresh_from_db()
    assert row.resolved_at is not None
    assert check_ledger(now=at + timedelta(days=1))


def test_a_check_that_runs_is_not_taken_by_another_worker():
    at = now().replace(hour=5)
    Check.objects.create(
        name=LEDGER, requested_at=at, started_at=at - timedelta(minutes=1), beat_at=at, total=9
    )

    assert not check_ledger(now=at)
    assert check_ledger(now=at + timedelta(minutes=31))


def test_a_check_that_was_killed_is_done_again_and_is_none_until_then(
    monkeypatch: pytest.MonkeyPatch,
):
    at = now().replace(hour=5)
    next_day = at + timedelta(days=1)
    assert check_ledger(now=at)
    ended_at = Check.objects.get(name=LEDGER).finished_at
    assert ended_at is not None
    with monkeypatch.context() as patch:
        patch.setattr(checks, "money_checks", lambda **_: [sys.exit])
        with pytest.raises(SystemExit):
            check_ledger(now=next_day)

    assert not check_ledger(now=next_day + timedelta(minutes=29))
    age_s = read_rows(now=next_day)["lienzo_ledger_check_age_seconds"][()]
    assert float(age_s) == (next_day - ended_at).total_seconds()
    assert check_ledger(now=next_day + timedelta(minutes=31))
    assert not check_ledger(now=next_day + timedelta(hours=2))
    assert Check.objects.filter(name=LEDGER, finished_at__gt=ended_at).exists()


def test_a_first_check_that_was_killed_has_never_been(monkeypatch: pytest.MonkeyPatch):
    at = now().replace(hour=5)
    with monkeypatch.context() as patch:
        patch.setattr(checks, "money_checks", lambda **_: [sys.exit])
        with pytest.raises(SystemExit):
            check_ledger(now=at)

    found = [read_rows(now=at + timedelta(minutes=age)) for age in (1, 31)]

    ages = [one["lienzo_ledger_check_age_seconds"][()] for one in found]
    assert ages == [60, Decimal("Infinity")]


def test_a_check_that_was_taken_over_writes_nothing_more(monkeypatch: pytest.MonkeyPatch):
    at, taken_at = now().replace(hour=5), now().replace(hour=6)

    def another_takes_it() -> list[Violation]:
        Check.objects.filter(name=LEDGER).update(started_at=taken_at, done=3)
        return [Violation(check="books", table="t", row_id="1", message="wrong")]

    monkeypatch.setattr(checks, "money_checks", lambda **_: [another_takes_it])

    assert not check_ledger(now=at)

    row = Check.objects.get(name=LEDGER)
    assert (row.started_at, row.done, row.found, row.finished_at) == (taken_at, 3, 0, None)
    assert not Finding.objects.exists()


def test_a_check_within_a_long_step_is_let_be():
    """Its step holds a lock in another session, though it has not told of itself for hours."""
    at = now().replace(hour=5)
    long_ago = at - timedelta(hours=3)
    Check.objects.create(name=LEDGER, started_at=long_ago, beat_at=long_ago, done=1, total=9)
    address = connection.get_connection_params()
    with psycopg.connect(**address, autocommit=True) as session:
        session.execute("SELECT pg_advisory_lock(%s)", [CHECKING])
        assert not check_ledger(now=at)

    assert check_ledger(now=at)


def test_strangers_start_no_check():
    with pytest.raises(PermissionDeniedError):
        request_ledger_check(actor=person().actor, now=now())
