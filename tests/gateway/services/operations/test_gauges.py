"""What the sweeper shows of the platform's rows. Other tests' rows are there too: changes count."""

from datetime import UTC, timedelta
from decimal import Decimal
from uuid import uuid4

import pytest
from django.db import connections
from django.db.backends.postgresql.base import DatabaseWrapper
from prometheus_client import CollectorRegistry

from billing.models import UnmatchedPayment
from core.clock import now
from core.metrics.exposition import render
from core.metrics.gauges import Repeated
from core.queue import is_broker_up
from embedded.ports import choose_ports
from gateway.models import Breaker, Check, Finding, MarginSum, Pause, Process
from gateway.selectors.rollups import NO_KEY
from gateway.services.operations.findings import Found, Kind, acknowledge, report
from gateway.services.operations.gauges import (
    FAMILIES,
    PlatformCollector,
    read_or_tell,
    read_rows,
)
from gateway.storage import ensure_buckets, is_storage_up
from orgs.models import Mail, OutboxEvent, WebhookDelivery, WebhookEndpoint
from orgs.services.audit import SYSTEM
from tests.billing.scene import Scene
from tests.gateway.services.rows import add_generation, new_name, new_worker, open_key

in_transaction = pytest.mark.django_db


def minutes(count: float) -> timedelta:
    return timedelta(minutes=count)


@in_transaction
def test_queues_show_how_many_wait_since_when_and_run():
    at, key, queue = now(), open_key(), new_name()
    claimed = {"status": "running", "worker_id": new_worker(), "claim_token": uuid4()}
    ended = {"status": "failed", "finished_at": at, "error": {"code": "x"}}
    for age, state in ((3, {}), (1, {}), (9, claimed), (60, ended)):
        add_generation(key, queue=queue, created_at=at - minutes(age), **state)

    found = read_rows(now=at)

    assert found["lienzo_queue_length"][queue,] == 2
    assert found["lienzo_queue_age_seconds"][queue,] == 180
    assert found["lienzo_running"][queue,] == 1
    assert ("sandbox",) in found["lienzo_queue_age_seconds"]


@in_transaction
@pytest.mark.parametrize(("limit", "reached"), [(None, 0), (6, 0), (5, 1)])
def test_a_limit_is_reached_when_the_largest_that_waits_has_no_room(settings, limit, reached):
    key, queue = open_key(), new_name()
    settings.PROVIDER_LIMITS = {queue: limit} if limit else {}
    claimed = {"status": "running", "worker_id": new_worker(), "claim_token": uuid4()}
    add_generation(key, queue=queue, calls=4, **claimed)
    running = read_rows(now=now())
    for calls in (1, 2):
        add_generation(key, queue=queue, calls=calls)

    found = read_rows(now=now())

    assert running["lienzo_limit_reached"][queue,] == 0
    assert found["lienzo_limit_reached"][queue,] == reached
    assert found["lienzo_limit_reached"]["sandbox",] == 0


@in_transaction
def test_breakers_and_pauses_of_every_provider_are_0_or_1():
    at = now()
    Breaker.objects.all().delete()
    Pause.objects.all().delete()
    state = {"failures": 5, "calls": 5, "opened_at": at, "retry_at": at, "cooldown_s": 5}
    Breaker.objects.create(provider="fal", is_open=True, reason="ReadFailed", **state)
    Breaker.objects.create(provider="xai", is_open=False, reason="", closed_at=at, **state)
    Pause.objects.create(provider="bfl", reason="Costs", paused_by="Ana", paused_at=at)

    found = read_rows(now=at)

    assert {of for of, value in found["lienzo_breaker_open"].items() if value} == {("fal",)}
    assert {of for of, value in found["lienzo_provider_paused"].items() if value} == {("bfl",)}
    assert found["lienzo_breaker_open"]["xai",] == 0
    assert found["lienzo_breaker_open"].keys() == found["lienzo_queue_length"].keys()


@in_transaction
def test_holds_show_the_oldest_and_those_that_should_have_ended():
    scene = Scene.create(currency="USD")
    scene.top_up(10_000_000)
    at = now() + timedelta(days=3650)
    before = read_rows(now=at)

    scene.authorize(at=at - minutes(5))
    scene.authorize(at=at - minutes(1.5))
    scene.release(scene.authorize(at=at - minutes(9)).reference)

    found = read_rows(now=at)
    assert found["lienzo_open_holds"][()] == before["lienzo_open_holds"][()] + 2
    assert found["lienzo_overdue_holds"][()] == before["lienzo_overdue_holds"][()] + 1
    assert found["lienzo_hold_age_seconds"][()] >= 300


@in_transaction
def test_findings_count_until_somebody_knows_and_violations_until_they_are_gone():
    at, row = now(), str(uuid4())
    before = read_rows(now=at)
    critical, kind = ("ledger.violation", "critical"), Kind.LEDGER_VIOLATION
    report(Found(kind, "billing_posting", row, "out of balance"), now=at)
    seen = read_rows(now=at)
    acknowledge(
        finding_id=Finding.objects.get(object_id=row).id, note="I look.", actor=SYSTEM, now=at
    )
    known = read_rows(now=at)

    fresh = [one["lienzo_findings"][critical] for one in (before, seen, known)]
    assert fresh == [fresh[0], fresh[0] + 1, fresh[0]]
    faults = [one["lienzo_ledger_violations"][()] for one in (before, seen, known)]
    assert faults == [faults[0], faults[0] + 1, faults[0] + 1]
    assert before["lienzo_findings"].keys() >= {("hold.overdue", "critical")}
    report(Found(Kind.ROLLUP_DIFFERENCE, "gateway_rollup", row, "3, not 2"), now=at)
    assert read_rows(now=at)["lienzo_ledger_violations"] == known["lienzo_ledger_violations"]


@in_transaction
def test_checks_processes_and_todays_money():
    at = now()
    Check.objects.all().delete()
    MarginSum.objects.all().delete()
    for name, age, error in (("sweeper", 2, ""), ("ledger", 90, ""), ("backup", 600, "")):
        Check.objects.create(
            name=name, started_at=at - minutes(age + 1), finished_at=at - minutes(age), error=error
        )
    before = read_rows(now=at)
    for age in (0, 10):
        Process.objects.create(
            kind="web",
            host="h",
            pid=1,
            started_ticks=1,
            started_at=at,
            heartbeat_at=at - timedelta(minutes=age),
        )
    today = at.astimezone(UTC).date()
    for day, model, code, micros in (
        (today, "a", "revenue", 500),
        (today, "b", "revenue", 250),
        (today, "a", "provider_cost", 300),
        (today - timedelta(days=1), "a", "revenue", 9_000),
    ):
        MarginSum.objects.create(
            slice="models",
            day=day,
            organization_id=NO_KEY,
            model=model,
            provider="fal",
            code=code,
            currency="USD",
            micros=micros,
            images=1,
            lines=1,
        )
    Check.objects.filter(name="ledger").update(error="OperationalError")

    found = read_rows(now=at)

    assert before["lienzo_ledger_check_age_seconds"] == {(): 90 * 60}
    assert found["lienzo_ledger_check_age_seconds"] == {(): Decimal("Infinity")}
    assert found["lienzo_sweeper_pass_age_seconds"] == {(): 120}
    assert found["lienzo_backup_age_seconds"] == {(): 36_000}
    assert found["lienzo_processes"]["web",] == before["lienzo_processes"]["web",] + 1
    assert found["lienzo_revenue_micros"] == {("USD",): 750}
    assert found["lienzo_provider_cost_micros"] == {("fal", "USD"): 300}
    assert found["lienzo_database_connections"][()] > 0
    assert found["lienzo_database_max_connections"][()] >= 100


@in_transaction
def test_outbox_unmatched_money_and_rates():
    at, key = now(), open_key()
    WebhookDelivery.objects.all().delete()
    Mail.objects.all().delete()
    UnmatchedPayment.objects.all().delete()
    scene = Scene.create(currency="CHF")
    scene.set_rate("0.9", source="ecb", as_of=at - minutes(90))
    for enabled, next_at in ((True, -4), (True, 30), (False, -600)):
        reason = "" if enabled else "request"
        endpoint = WebhookEndpoint.objects.create(
            organization_id=key.organization_id,
            url="https://example.com",
            events=[],
            secret=b"",
            is_enabled=enabled,
            disabled_reason=reason,
        )
        event = OutboxEvent.objects.create(
            organization_id=key.organization_id, type="x", data={}, created_at=at - minutes(900)
        )
        WebhookDelivery.objects.create(
            event=event,
            endpoint=endpoint,
            next_at=at + minutes(next_at),
            give_up_at=at,
            created_at=at - minutes(900),
        )
    Mail.objects.create(
        kind="x", recipient="a@b.c", subject="s", next_at=at, give_up_at=at, body=b""
    )
    Mail.objects.update(created_at=at - minutes(7))
    UnmatchedPayment.objects.create(
        reference="u1", amount_micros=1, currency="USD", reason="no", created_at=at
    )

    found = read_rows(now=at)

    assert found["lienzo_webhooks_pending"] == {(): 2}
    assert found["lienzo_webhook_age_seconds"] == {(): 240}
    assert found["lienzo_mail_age_seconds"] == {(): 420}
    assert found["lienzo_unmatched_payments"] == {(): 1}
    assert found["lienzo_fx_rate_age_seconds"]["USD/CHF",] == 5400


@in_transaction
def test_every_gauge_that_is_read_has_words_and_labels():
    found = read_rows(now=now())

    assert found.keys() <= FAMILIES.keys()
    for name, values in found.items():
        assert all(len(of) == len(FAMILIES[name][1]) for of in values), name


def show(collector: PlatformCollector) -> str:
    registry = CollectorRegistry()
    registry.register(collector)
    return render(registry).decode()


@in_transaction
def test_what_was_read_last_is_shown_until_it_is_old():
    collector = PlatformCollector()
    collector.rows = Repeated(lambda: read_rows(now=now()), every_s=10, fresh_for_s=30)
    assert "lienzo_database_up 0.0" in show(collector)

    collector.rows.read_now()
    text = show(collector)
    assert "lienzo_database_up 1.0" in text
    assert 'lienzo_queue_length{provider="fal"}' in text

    assert collector.rows._last is not None
    read_s, gauges = collector.rows._last
    collector.rows._last = (read_s - 31, gauges)
    assert "lienzo_database_up 0.0" in show(collector)
    assert "lienzo_queue_length{" not in show(collector)


def test_database_that_is_away_is_told_and_raises_nothing(django_db_blocker):
    with django_db_blocker.unblock():
        previous = connections["default"]
        settings = {**previous.settings_dict, "PORT": str(choose_ports(1)[0])}
        options = settings["OPTIONS"].items()
        settings["OPTIONS"] = {name: value for name, value in options if name != "pool"}
        connections["default"] = DatabaseWrapper(settings, "default")
        try:
            assert read_or_tell() is None
        finally:
            connections["default"].close()
            connections["default"] = previous


def test_broker_and_storage_are_up_or_away(settings):
    ensure_buckets()
    assert is_broker_up()
    assert is_storage_up()

    settings.S3_BUCKET = f"missing-{uuid4().hex}"
    assert not is_storage_up()
