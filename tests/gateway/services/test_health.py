"""What is said of providers and routes: measured on real calls of the last day."""

import json
from datetime import timedelta
from io import StringIO
from typing import Any

import pytest
from django.core.management import call_command

from core.clock import now
from gateway.catalog.registry import catalog
from gateway.health import Measured, measure, provider_health
from gateway.models import Attempt, Breaker
from gateway.services.routing import real_endpoints
from tests.gateway.services.rows import add_attempt, add_generation, open_key

pytestmark = pytest.mark.django_db
FLUX = "fal-ai/flux-pro/v1.1"


class Calls:
    """Calls of one model to fal."""

    def __init__(self, model: str = "fal/flux-1.1-pro") -> None:
        self.generation = add_generation(open_key(), model=model, queue="fal")
        self._number = 0

    def add(self, *, seconds: float = 1.0, hours_ago: float = 0.01, **fields: Any) -> Attempt:
        self._number += 1
        return add_attempt(
            self.generation,
            number=self._number,
            ended_at=now() - timedelta(hours=hours_ago),
            seconds=seconds,
            **fields,
        )


def measured() -> Measured:
    return measure(now=now())


def route_of(found: Measured, model_id: str):
    model = catalog().find(model_id)
    assert model is not None
    return found.of_route(model, "fal", FLUX)


def test_a_route_has_its_share_of_successes_and_their_durations():
    calls = Calls()
    for seconds in (1, 2, 3, 4, 100):
        calls.add(seconds=seconds)
    calls.add(status="failed", error_kind="ProviderUnavailable", error_code="overloaded")
    calls.add(status="failed", error_kind="RateLimited", hours_ago=2)

    found = route_of(measured(), "fal/flux-1.1-pro")

    assert (found.calls, found.success_rate, found.p50_s, found.p95_s) == (7, 0.7143, 3.0, 80.8)
    assert found.last_failure == "overloaded"


def test_bare_and_namespaced_ids_are_one_model():
    Calls("fal/flux-1.1-pro").add(seconds=1)
    Calls("flux-1.1-pro").add(seconds=3)

    found = measured()

    assert route_of(found, "fal/flux-1.1-pro") == route_of(found, "flux-1.1-pro")
    assert route_of(found, "flux-1.1-pro").calls == 2


def test_refused_and_rejected_calls_are_nobodys_failure():
    calls = Calls()
    calls.add()
    calls.add(status="refused", error_kind="ContentRefused")
    calls.add(status="failed", error_kind="ProviderRejected")
    calls.add(status="unknown", error_code="worker_lost")
    calls.add(status="late", error_kind="NotStoredError")

    found = route_of(measured(), "flux-1.1-pro")

    assert (found.calls, found.success_rate, found.last_failure) == (5, 1.0, None)


def test_sandboxed_open_and_old_calls_are_left_out():
    calls = Calls()
    calls.add(is_sandboxed=True)
    calls.add(hours_ago=24.1)
    add_attempt(calls.generation, number=9, ended_at=None, status="started")

    assert measured().providers == {}


def test_the_newest_calls_of_a_provider_are_enough():
    calls = Calls()
    for hours_ago in (3, 2, 1):
        calls.add(seconds=hours_ago, hours_ago=hours_ago)

    found = measure(now=now(), sample=2).providers["fal"]

    assert (found.calls, found.p50_s) == (2, 1.5)


def test_expected_durations_become_measured_ones_from_100_successes_on():
    model = catalog().find("fal/flux-1.1-pro")
    assert model is not None
    calls = Calls()
    for _ in range(99):
        calls.add(seconds=2.5)
    calls.add(status="failed", error_kind="ProviderUnavailable")
    assert measured().latency_of(model) == (model.p50_s, model.p95_s)

    calls.add(seconds=2.5)

    assert measured().latency_of(model) == (2.5, 2.5)


def test_a_provider_has_its_breaker_its_load_and_its_routes(settings):
    settings.PROVIDER_LIMITS = {"fal": 9}
    calls = Calls()
    calls.add()
    api_key = calls.generation.api_key
    assert api_key is not None
    add_generation(api_key, queue="fal", status="running", claim_token=api_key.id, calls=4)
    open_breaker("fal")

    fal, openai = provider_health(configured=["openai"], now=now())

    assert (fal.running, fal.calls_in_flight, fal.queued, fal.limit) == (1, 4, 1, 9)
    assert fal.breaker is not None
    assert fal.breaker.reason == "OutOfFunds"
    assert [(route.upstream_model, route.statistics.calls) for route in fal.routes] == [(FLUX, 1)]
    assert (openai.breaker, openai.statistics.calls, openai.limit) == (None, 0, None)


def open_breaker(provider: str) -> None:
    moment = now()
    Breaker.objects.create(
        provider=provider,
        is_open=True,
        reason="OutOfFunds",
        failures=1,
        calls=1,
        opened_at=moment,
        retry_at=moment + timedelta(seconds=5),
        cooldown_s=5,
    )


@pytest.fixture
def _fal_is_configured(settings):
    real_endpoints.cache_clear()
    settings.PROVIDER_ENDPOINTS = {"fal": {"base_url": "", "api_key": "id:secret"}}
    yield
    real_endpoints.cache_clear()


@pytest.mark.usefixtures("_fal_is_configured")
def test_the_command_prints_it_and_checks_breakers():
    Calls().add()
    assert "fal: breaker closed; 0 running" in run()
    run("--check")
    open_breaker("fal")

    [row] = json.loads(run("--json"))["providers"]

    assert row["breaker"]["reason"] == "OutOfFunds"
    assert row["routes"][0]["statistics"]["calls"] == 1
    assert "BREAKER OPEN" in run()
    with pytest.raises(SystemExit) as raised:
        run("--check")
    assert raised.value.code == 1


def run(*arguments: str) -> str:
    out = StringIO()
    call_command("provider_health", *arguments, stdout=out)
    return out.getvalue()
