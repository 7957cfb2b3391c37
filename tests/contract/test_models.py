"""The official client lists and reads models, by bare and by namespaced id."""

from collections.abc import Iterator
from datetime import timedelta

import openai
import pytest
import requests

from core.clock import now
from gateway.models import Breaker
from tests.stack import Stack, wait_until

IDS = ["dall-e-3", "openai/dall-e-3", "fal/flux-1.1-pro", "gpt-image-1"]


def test_models_are_listed(client):
    listed = {model.id: model for model in client.models.list()}

    assert set(IDS) <= set(listed)
    assert all(model.object == "model" and model.created > 0 for model in listed.values())
    price = listed["fal/flux-1.1-pro"].to_dict()["prices"][0]
    assert (price["amount"], price["currency"]) == ("0.042", "USD")


@pytest.mark.parametrize("model_id", IDS)
def test_model_is_retrieved(model_id, client):
    model = client.models.retrieve(model_id)

    assert model.id == model_id
    assert model.to_dict()["available"] is True


@pytest.fixture
def fal_is_down(stack: Stack) -> Iterator[None]:
    """The breaker of fal is open, in a pause that does not end."""
    moment = now()
    with stack.database():
        Breaker.objects.filter(provider="fal").delete()
        Breaker.objects.create(
            provider="fal",
            is_open=True,
            reason="ProviderUnavailable",
            failures=5,
            calls=5,
            opened_at=moment,
            retry_at=moment + timedelta(hours=1),
            cooldown_s=5,
        )
    yield
    with stack.database():
        Breaker.objects.filter(provider="fal").delete()


def test_models_name_their_routes_with_what_was_measured(client):
    model = client.models.retrieve("fal/flux-1.1-pro").to_dict()

    route = next(route for route in model["routes"] if route["provider"] == "fal")
    assert (route["upstream_model"], route["state"]) == ("fal-ai/flux-pro/v1.1", "available")
    for name in ("success_rate", "p50_s", "p95_s"):
        assert route[name] is None or route[name] >= 0
    assert set(model["expected_latency"]) == {"p50_s", "p95_s"}


@pytest.mark.usefixtures("fal_is_down")
def test_a_model_whose_only_provider_is_down_is_not_available(tenant):
    """Within the second for which each web process keeps its view."""

    def is_shown():
        model = tenant.get("/v1/models/fal/flux-1.1-pro").json()
        states = {route["state"] for route in model["routes"]}
        return model["available"] is False and states == {"unavailable"}

    wait_until(is_shown, "the model is shown unavailable")
    assert tenant.get("/v1/models/openai/dall-e-3").json()["available"] is True


@pytest.mark.parametrize("model_id", ["openai/dall-e-3", "openai%2Fdall-e-3"])
def test_slash_in_a_model_id_may_be_quoted(model_id, tenant):
    answer = tenant.get(f"/v1/models/{model_id}")

    assert (answer.status_code, answer.json()["id"]) == (200, "openai/dall-e-3")


def test_unknown_model_is_not_found(client):
    with pytest.raises(openai.NotFoundError) as raised:
        client.models.retrieve("openai/dall-e-9")

    assert (raised.value.code, raised.value.param) == ("model_not_found", "model")


def test_models_need_a_key(stack):
    assert requests.get(f"{stack.url}/v1/models", timeout=10).status_code == 401
