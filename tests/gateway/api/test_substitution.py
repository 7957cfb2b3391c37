"""Retired models: served by a substitute on the provider's own host, unless this is forbidden."""

from dataclasses import replace
from datetime import date

import pytest

from gateway.api.errors import answer_to
from gateway.errors import ModelRetiredError, ProviderUnavailableError
from gateway.parameters.generation import parse_generation
from gateway.providers.base import Endpoint
from gateway.services.routing import plan_routes, real_endpoints, sandbox_endpoints

TODAY = date(2026, 11, 21)
OPENAI = Endpoint(
    provider="openai", base_url="https://api.openai.com/v1", api_key="k", official=True
)


@pytest.fixture
def configured(monkeypatch):
    """Set the providers that have a key."""

    def configure(*endpoints):
        found = {endpoint.provider: endpoint for endpoint in endpoints}
        monkeypatch.setattr("gateway.services.routing.real_endpoints", lambda: found)

    return configure


def steps(model_id, *, allow_substitution=True, today=TODAY):
    body = {"model": model_id, "prompt": "a cat"}
    plan = plan_routes(
        request=parse_generation(body, default_model=None),
        livemode=True,
        is_demo=False,
        allow_substitution=allow_substitution,
        sale_usd=None,
        today=today,
    )
    return [step["upstream_model"] for step in plan.steps]


@pytest.mark.parametrize("model_id", ["dall-e-3", "openai/dall-e-3", "dall-e-2", "gpt-image-1"])
def test_retired_model_is_served_by_its_substitute(model_id, configured):
    configured(OPENAI)

    assert steps(model_id) == ["gpt-image-2.5-flare"]


def test_organization_that_forbids_it_is_told_the_successor(configured):
    configured(OPENAI)

    with pytest.raises(ModelRetiredError) as raised:
        steps("openai/dall-e-3", allow_substitution=False)

    answer = answer_to(raised.value)
    assert answer.status == 404
    assert answer.body["error"] == {
        "message": raised.value.message,
        "type": "not_found_error",
        "param": "model",
        "code": "model_retired",
    }
    assert "gpt-image-2.5-flare" in raised.value.message
    assert answer.headers["X-Should-Retry"] == "false"


def test_model_is_called_as_it_is_until_it_retires(configured):
    configured(OPENAI)

    assert steps("dall-e-3", today=date(2026, 5, 11))[0] == "dall-e-3"
    assert steps("dall-e-3", allow_substitution=False, today=date(2026, 5, 11)) == ["dall-e-3"]
    assert steps("dall-e-3", today=date(2026, 5, 12)) == ["gpt-image-2.5-flare"]


def test_retired_model_is_called_as_it_is_on_another_host(configured):
    configured(replace(OPENAI, base_url="https://images.example/v1", official=False))

    assert steps("dall-e-3") == ["dall-e-3", "gpt-image-2.5-flare"]
    assert steps("dall-e-3", allow_substitution=False) == ["dall-e-3"]


def test_model_without_a_provider_is_unavailable(configured):
    configured()

    with pytest.raises(ProviderUnavailableError) as raised:
        steps("dall-e-3")

    assert raised.value.retry_after_s is not None


@pytest.mark.parametrize(
    ("base_url", "official"),
    [
        ("", True),
        ("https://api.openai.com/v1", True),
        ("https://eu.api.openai.com/v1", True),
        ("https://api.openai.com.example.org/v1", False),
        ("http://127.0.0.1:9000/openai/v1", False),
    ],
)
def test_host_decides_whether_a_provider_is_the_official_one(base_url, official, settings):
    settings.PROVIDER_ENDPOINTS = {"openai": {"base_url": base_url, "api_key": "k"}}
    real_endpoints.cache_clear()
    try:
        assert real_endpoints()["openai"].official is official
    finally:
        real_endpoints.cache_clear()


@pytest.mark.parametrize(
    ("base_url", "official"),
    [
        ("https://our-images.openai.azure.com", True),
        ("https://azure.example", False),
        ("", None),
    ],
)
def test_azure_needs_a_base_url_and_has_its_own_hosts(base_url, official, settings):
    settings.PROVIDER_ENDPOINTS = {"azure_openai": {"base_url": base_url, "api_key": "k"}}
    settings.PROVIDER_OPTIONS = {"azure_openai": {"api_version": "2024-02-01"}}
    real_endpoints.cache_clear()
    try:
        endpoint = real_endpoints().get("azure_openai")
    finally:
        real_endpoints.cache_clear()

    assert (endpoint and endpoint.official) == official
    assert endpoint is None or endpoint.options == {"api_version": "2024-02-01"}


def test_sandbox_has_the_path_of_each_providers_base_url(settings):
    settings.SANDBOX_BASE_URL = "http://127.0.0.1:8009"
    sandbox_endpoints.cache_clear()
    try:
        found = {name: endpoint.base_url for name, endpoint in sandbox_endpoints().items()}
    finally:
        sandbox_endpoints.cache_clear()

    assert found["openai"] == "http://127.0.0.1:8009/openai/v1"
    assert found["azure_openai"] == "http://127.0.0.1:8009/azure_openai"
    assert found["xai"] == "http://127.0.0.1:8009/xai/v1"
