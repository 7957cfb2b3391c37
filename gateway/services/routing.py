"""Which upstream serves a request: real providers, or the sandbox for test keys and demos."""

import logging
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from functools import cache
from typing import TypedDict
from urllib.parse import urlsplit

from django.conf import settings

from gateway.catalog.check import may_serve
from gateway.catalog.fit import can_serve, fit
from gateway.catalog.registry import Catalog, catalog, routes_for
from gateway.catalog.types import EndpointInfo, Model, Route
from gateway.errors import ModelRetiredError, ProviderUnavailableError, TestKeysDisabledError
from gateway.parameters.types import GenerationRequest
from gateway.providers.base import Endpoint
from gateway.providers.registry import PROVIDERS, default_base_url, is_official
from gateway.services.pricebook.costs import route_at_cost

SANDBOX = "sandbox"
SANDBOX_KEY = "sandbox"
# Draws any size, so it stands in, in the sandbox alone, for a model without a usable route.
STAND_IN_MODEL = "gpt-image-2.5-flare"
logger = logging.getLogger(__name__)


class Step(TypedDict):
    """One route of a generation's plan, as its row keeps it."""

    queue: str
    provider: str
    upstream_model: str


@dataclass(frozen=True, slots=True)
class Plan:
    """The routes a generation will try, in order.

    Attributes:
        calls: Upstream calls that all its images need on the first route.
    """

    steps: tuple[Step, ...]
    calls: int
    is_sandboxed: bool


@cache
def real_endpoints() -> dict[str, Endpoint]:
    """Return the endpoint of every provider with a key, a base URL and an adapter."""
    endpoints = {}
    for provider, given in settings.PROVIDER_ENDPOINTS.items():
        if provider not in PROVIDERS or not given["api_key"]:
            continue
        base_url = given["base_url"] or default_base_url(provider)
        if not base_url:
            continue
        endpoints[provider] = Endpoint(
            provider=provider,
            base_url=base_url,
            api_key=given["api_key"],
            official=is_official(provider, urlsplit(base_url).hostname),
            options=settings.PROVIDER_OPTIONS.get(provider, {}),
        )
    return endpoints


@cache
def sandbox_endpoints() -> dict[str, Endpoint]:
    """Return the sandbox's endpoint of every provider with an adapter; empty without a sandbox."""
    if not settings.SANDBOX_BASE_URL:
        return {}
    # Where the provider's own base URL has a path, the sandbox's has it too.
    paths = {"openai": "/openai/v1", "xai": "/xai/v1"}
    return {
        provider: Endpoint(
            provider=provider,
            base_url=settings.SANDBOX_BASE_URL + paths.get(provider, f"/{provider}"),
            api_key=SANDBOX_KEY,
            official=False,
        )
        for provider in PROVIDERS
    }


def plan_routes(
    *,
    request: GenerationRequest,
    livemode: bool,
    is_demo: bool,
    allow_substitution: bool,
    sale_usd: Decimal | None,
    today: date,
) -> Plan:
    """Choose the routes of a request that can draw it, and do not cost more than it sells for.

    `sale_usd` is the list price with markup per image; None, for a price list in another currency,
    checks no costs.

    A test key always goes to the sandbox; so does a demo organization where no route has a key and
    `LIENZO_SANDBOX` is `auto`.

    Raises:
        TestKeysDisabledError: A test key, and no sandbox.
        ModelRetiredError: Its configured providers no longer serve it, and nothing may stand in.
        ProviderUnavailableError: No provider of the model is configured.
    """
    model = request.model
    if not livemode:
        if not sandbox_endpoints():
            raise TestKeysDisabledError(
                "Test keys are disabled: this server has no sandbox (SANDBOX_BASE_URL)."
            )
        return _sandbox_plan(request, today)
    endpoints = real_endpoints()
    routes = _routes(model, endpoints, today=today, allow_substitution=allow_substitution)
    if routes:
        routes = _affordable(request, _able(request, routes), sale_usd)
        return _plan(request, routes)
    if any(route.provider in endpoints for route in model.routes):
        why = "" if allow_substitution else " and your organization forbids substitutes"
        raise ModelRetiredError(
            f"The model {model.id} is retired{why}. Use {model.successor or 'another model'}.",
            param="model",
        )
    if is_demo and settings.LIENZO_SANDBOX == "auto" and sandbox_endpoints():
        return _sandbox_plan(request, today)
    raise ProviderUnavailableError(
        f"No provider of {model.id} is configured on this server. Nothing was charged.",
        retry_after_s=60,
    )


def real_routes(*, model: Model, today: date) -> list[Route]:
    """Return a model's routes that have a configured provider, best first."""
    return _routes(model, real_endpoints(), today=today, allow_substitution=True)


def is_available(*, model: Model, is_demo: bool, livemode: bool, today: date) -> bool:
    """Return whether a request for the model would find a route."""
    if real_routes(model=model, today=today):
        return True
    return bool(sandbox_endpoints()) and (
        not livemode or (is_demo and settings.LIENZO_SANDBOX == "auto")
    )


def route_of(*, model: Model, step: Step) -> Route:
    """Return the catalog's route of a plan's step."""
    for candidate in (model, _stand_in(catalog())):
        for route in candidate.routes:
            if (route.provider, route.upstream_model) == (
                step["provider"],
                step["upstream_model"],
            ):
                return route
    raise ProviderUnavailableError(
        f"{model.id} no longer has the route {step['provider']}/{step['upstream_model']}."
    )


def endpoint_of(*, step: Step) -> Endpoint:
    """Return where a plan's step is to be called.

    Raises:
        ProviderUnavailableError: The provider was configured when the plan was made and is not now.
    """
    endpoints = sandbox_endpoints() if step["queue"] == SANDBOX else real_endpoints()
    endpoint = endpoints.get(step["provider"])
    if endpoint is None:
        raise ProviderUnavailableError(f"{step['provider']} is not configured on this server.")
    return endpoint


def sandbox_targets() -> frozenset[tuple[str, int]]:
    """Return the host and port of the sandbox: images may come from it, private as it is."""
    parts = urlsplit(settings.SANDBOX_BASE_URL)
    if not parts.hostname:
        return frozenset()
    return frozenset({(parts.hostname, parts.port or (443 if parts.scheme == "https" else 80))})


def queues() -> tuple[str, ...]:
    """Return every queue a worker serves."""
    return (*PROVIDERS, SANDBOX)


def busy_queues() -> tuple[str, ...]:
    """Return the queues that get work as this server is configured."""
    return (*real_endpoints(), SANDBOX)


def _routes(
    model: Model, endpoints: dict[str, Endpoint], *, today: date, allow_substitution: bool
) -> list[Route]:
    infos = {name: EndpointInfo(official=endpoint.official) for name, endpoint in endpoints.items()}
    return routes_for(model, today=today, endpoints=infos, allow_substitution=allow_substitution)


def _able(request: GenerationRequest, routes: list[Route]) -> list[Route]:
    """Keep the routes that can draw the request; where none can, say what none of them has.

    Raises:
        UnsupportedValueError: No route reaches the size, or draws the background.
    """
    able = [route for route in routes if can_serve(request, route)]
    if not able:
        fit(request, routes[0], request.n)
    return able or routes


def _affordable(
    request: GenerationRequest, routes: list[Route], sale_usd: Decimal | None
) -> list[Route]:
    """Keep the routes that cannot cost more than the image sells for.

    Raises:
        ProviderUnavailableError: All of them would be sold at a loss: a price must be corrected.
    """
    if sale_usd is None:
        return routes
    kept = [
        route
        for route in routes
        if may_serve(
            request.model,
            route_at_cost(route),
            request.size,
            request.quality,
            sale_usd=sale_usd,
            inputs=len(request.files),
        )
    ]
    if not kept:
        logger.error("routing.sold_at_a_loss model=%s size=%s", request.model.id, request.size)
        raise ProviderUnavailableError(
            f"{request.model.id} cannot be served at its present price. Nothing was charged.",
            retry_after_s=60,
        )
    return kept


def _sandbox_plan(request: GenerationRequest, today: date) -> Plan:
    endpoints = sandbox_endpoints()
    model = request.model
    routes = _routes(model, endpoints, today=today, allow_substitution=True) or _routes(
        _stand_in(catalog()), endpoints, today=today, allow_substitution=True
    )
    routes = _able(request, routes)
    return _plan(request, routes, queue=SANDBOX)


def _stand_in(models: Catalog) -> Model:
    model = models.find(STAND_IN_MODEL)
    assert model is not None  # noqa: S101 - the catalog is checked at start
    return model


def _plan(request: GenerationRequest, routes: list[Route], *, queue: str = "") -> Plan:
    return Plan(
        steps=tuple(_step(route, queue=queue or route.provider) for route in routes),
        calls=-(-request.n // routes[0].max_n_per_call),
        is_sandboxed=queue == SANDBOX,
    )


def _step(route: Route, *, queue: str) -> Step:
    return Step(queue=queue, provider=route.provider, upstream_model=route.upstream_model)
