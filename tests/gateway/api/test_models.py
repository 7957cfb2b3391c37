"""What a model says of its routes: whether a request may take them, and what was measured."""

from datetime import timedelta
from typing import Any

import pytest

from core.clock import now
from gateway.api.models import model_resources
from gateway.catalog.registry import catalog
from gateway.health import recent
from gateway.models import Breaker
from gateway.services.breakers import board
from gateway.services.onboarding import KeyTerms, open_api_key, open_organization
from gateway.services.routing import real_endpoints, sandbox_endpoints
from orgs.services.api_keys import Caller, authenticate_key
from tests.gateway.services.rows import add_attempt, add_generation, open_key

pytestmark = pytest.mark.django_db
KEY = {"base_url": "", "api_key": "id:secret"}
FAL = ("fal", "fal-ai/flux-pro/v1.1")
BFL = ("bfl", "flux-pro-1.1")


@pytest.fixture(autouse=True)
def _configured(settings):
    settings.PROVIDER_ENDPOINTS = {"fal": KEY, "bfl": KEY}
    settings.SANDBOX_BASE_URL = "http://127.0.0.1:1"
    _forget()
    yield
    _forget()


def _forget() -> None:
    real_endpoints.cache_clear()
    sandbox_endpoints.cache_clear()
    recent().forget()
    board().forget()


def caller(*, livemode: bool = True, is_demo: bool = False) -> Caller:
    organization = open_organization(name="Models", currency="USD", is_demo=is_demo)
    _, secret = open_api_key(
        organization=organization, terms=KeyTerms(name="Models", livemode=livemode)
    )
    return authenticate_key(text=secret, now=now())


def model(model_id: str = "flux-1.1-pro", **how: bool) -> dict[str, Any]:
    found = catalog().find(model_id)
    assert found is not None
    [resource] = model_resources([found], caller(**how), now())
    return resource


def states(resource: dict[str, Any]) -> dict[tuple[str, str], str]:
    return {
        (route["provider"], route["upstream_model"]): route["state"] for route in resource["routes"]
    }


def open_breaker(provider: str, *, retry_in_s: float) -> None:
    moment = now()
    Breaker.objects.create(
        provider=provider,
        is_open=True,
        reason="ProviderUnavailable",
        failures=5,
        calls=5,
        opened_at=moment,
        retry_at=moment + timedelta(seconds=retry_in_s),
        cooldown_s=5,
    )
    board().forget()


def test_routes_of_configured_providers_are_available():
    resource = model()

    assert states(resource) == {BFL: "available", FAL: "available"}
    assert resource["available"] is True
    assert [route["success_rate"] for route in resource["routes"]] == [None, None]


def test_a_route_in_a_pause_is_not_and_without_another_the_model_is_not():
    open_breaker("fal", retry_in_s=60)
    one_left = model()
    open_breaker("bfl", retry_in_s=60)
    none_left = model()

    assert (one_left["available"], states(one_left)) == (
        True,
        {BFL: "available", FAL: "unavailable"},
    )
    assert (none_left["available"], set(states(none_left).values())) == (False, {"unavailable"})


def test_a_route_whose_pause_is_over_is_available_to_be_probed():
    open_breaker("fal", retry_in_s=-1)

    assert states(model())[FAL] == "available"


def test_a_route_without_a_configured_provider_is_unavailable(settings):
    settings.PROVIDER_ENDPOINTS = {"fal": KEY, "bfl": {**KEY, "api_key": ""}}
    real_endpoints.cache_clear()

    assert states(model()) == {BFL: "unavailable", FAL: "available"}


@pytest.mark.parametrize(
    ("how", "state"),
    [
        ({"livemode": False}, "available"),
        ({"is_demo": True}, "available"),
        ({}, "unavailable"),
    ],
)
def test_the_sandbox_serves_test_keys_and_demos_by_every_route(settings, how, state):
    settings.PROVIDER_ENDPOINTS = {}
    settings.LIENZO_SANDBOX = "auto"
    real_endpoints.cache_clear()

    resource = model(**how)

    assert set(states(resource).values()) == {state}
    assert resource["available"] is (state == "available")


def test_a_breaker_is_nothing_to_a_test_key():
    open_breaker("fal", retry_in_s=60)

    assert states(model(livemode=False))[FAL] == "available"


def test_durations_are_measured_over_all_organizations():
    one, other = (
        add_generation(open_key(), model=model_id, queue="fal")
        for model_id in ("flux-1.1-pro", "fal/flux-1.1-pro")
    )
    add_attempt(one, number=1, ended_at=now(), seconds=2)
    add_attempt(other, number=1, ended_at=now(), seconds=4)
    add_attempt(other, number=2, ended_at=now(), status="failed", error_kind="BadResponse")

    bfl, fal = sorted(model("fal/flux-1.1-pro")["routes"], key=lambda route: route["provider"])

    assert (fal["success_rate"], fal["p50_s"], fal["p95_s"]) == (0.6667, 3.0, 3.9)
    assert (bfl["success_rate"], bfl["p50_s"], bfl["p95_s"]) == (None, None, None)


def test_expected_latency_is_measured_once_there_is_enough():
    found = catalog().find("flux-1.1-pro")
    assert found is not None
    before = model()["expected_latency"]
    generation = add_generation(open_key(), model="flux-1.1-pro", queue="fal")
    for number in range(100):
        add_attempt(generation, number=number, ended_at=now(), seconds=1.5)
    recent().forget()

    assert before == {"p50_s": found.p50_s, "p95_s": found.p95_s}
    assert model()["expected_latency"] == {"p50_s": 1.5, "p95_s": 1.5}
