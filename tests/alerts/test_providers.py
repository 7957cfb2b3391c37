"""Alerts on providers: what waits for them, what keeps calls away, whose slots are taken."""

from datetime import timedelta
from uuid import uuid4

import pytest

from core.clock import now
from gateway.metrics import ATTEMPTS, SLOTS, SLOTS_BUSY
from gateway.models import Breaker
from gateway.services.operations.checks import check_platform
from gateway.services.operations.pauses import pause_provider
from gateway.services.processes import CurrentProcess, Kind
from gateway.worker import Slots, Worker
from orgs.services.audit import user_actor
from tests.alerts.conftest import Platform
from tests.alerts.exposed import own_exposition
from tests.alerts.timeline import alert, assert_fires, system
from tests.gateway.services.rows import add_generation, new_worker, open_key
from tests.orgs.people import ORIGIN, person


def test_a_generation_that_waits_for_its_provider_is_told_of(platform: Platform):
    api_key = open_key()
    add_generation(api_key, queue="bfl")
    healthy = platform.state()

    add_generation(api_key, queue="fal", created_at=now() - timedelta(seconds=40))

    assert_fires(alert("QueueOld", provider="fal"), healthy=healthy, then=platform.state(), after=3)


def test_a_full_limit_is_told_of_as_such_while_calls_succeed(platform: Platform, settings):
    settings.PROVIDER_LIMITS = {"fal": 3}
    api_key = open_key()
    claimed = {"status": "running", "worker_id": new_worker(), "claim_token": uuid4()}
    add_generation(api_key, queue="fal", calls=2, **claimed)
    succeeded = ATTEMPTS.labels("fal", "succeeded")
    healthy = system("", sweeper=platform.expose(), worker=own_exposition())

    add_generation(api_key, queue="fal", calls=2, created_at=now() - timedelta(seconds=40))
    full = platform.expose()
    stuck = system("", sweeper=full, worker=own_exposition())
    succeeded.inc()
    busy = system("", sweeper=full, worker=own_exposition())

    assert_fires(alert("QueueOld", provider="fal"), healthy=healthy, then=stuck, after=20)
    assert_fires(alert("ProviderSaturated", provider="fal"), healthy=healthy, then=busy, after=20)


def test_an_account_without_money_opens_a_breaker_and_is_told_of_at_once(platform: Platform):
    check_platform(now=now())
    healthy = platform.state()

    Breaker.objects.create(
        provider="fal",
        is_open=True,
        reason="OutOfFunds",
        failures=1,
        calls=1,
        opened_at=now(),
        retry_at=now(),
        cooldown_s=5,
    )
    check_platform(now=now())

    then = platform.state()
    finding = alert("CriticalFinding", kind="provider.out_of_funds")
    assert_fires(
        alert("CriticalFinding", kind="provider.out_of_funds"), healthy=healthy, then=then, after=2
    )
    assert_fires(
        alert("BreakerOpen", provider="fal"), finding, healthy=healthy, then=then, after=12
    )


def test_a_provider_that_stays_paused_is_told_of(platform: Platform):
    healthy = platform.state()

    operator = user_actor(person(staff_role="operator").user, origin=ORIGIN, as_operator=True)
    pause_provider(provider="fal", reason="Maintenance", actor=operator, now=now())

    then = platform.state()
    assert_fires(
        alert("ProviderPaused", provider="fal"), healthy=healthy, then=then, after=150, step="5m"
    )


@pytest.mark.usefixtures("platform_connection")
def test_a_worker_without_free_slots_is_told_of():
    slots = Slots(60, ["fal", "openai"], busy=["fal"])
    worker = Worker(CurrentProcess(Kind.WORKER), slots)
    try:
        worker.start()
        healthy = system("", worker=own_exposition())
        while slots.take("fal"):
            pass
        then = system("", worker=own_exposition())
    finally:
        worker.end()
        SLOTS.clear()
        SLOTS_BUSY.clear()

    assert_fires(alert("SlotsExhausted", provider="fal"), healthy=healthy, then=then, after=12)
