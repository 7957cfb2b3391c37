"""The catalog of public models, and which routes may serve one today."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from datetime import date
from functools import cache
from operator import is_

from gateway.catalog import bfl, dall_e, fal, google, ideogram, openai, stability, xai
from gateway.catalog.costs import Costs
from gateway.catalog.prices import price_of, prices_of
from gateway.catalog.types import EndpointInfo, Model, Route


class CatalogError(ValueError):
    """The catalog contradicts itself; a fault of the program, not of a request."""


class Catalog:
    """Every public model by its id."""

    def __init__(self, models: Iterable[Model]) -> None:
        """Index and check the models.

        Raises:
            CatalogError: If two share an id, or one lacks a size, a route or a price.
        """
        self._models: dict[str, Model] = {}
        for model in models:
            if model.id in self._models:
                raise CatalogError(f"two models have the id {model.id}")
            _validate(model)
            self._models[model.id] = model
        for model in self._models.values():
            if model.successor is not None and model.successor not in self._models:
                raise CatalogError(f"{model.id}: unknown successor {model.successor}")

    def find(self, model_id: str) -> Model | None:
        """Return the model of a bare or a namespaced id."""
        return self._models.get(model_id)

    def models(self) -> tuple[Model, ...]:
        """Return all models, each under every one of its ids."""
        return tuple(self._models.values())

    def at(self, costs: Mapping[str, Costs]) -> Catalog:
        """Return the same models with their routes at other costs, by `Route.served_by`."""
        models = [_at(model, costs) for model in self.models()]
        same = all(map(is_, models, self.models()))
        return self if same else Catalog(models)


@cache
def catalog() -> Catalog:
    """Return the catalog, built and checked on the first call."""
    makers = (openai, dall_e, google, xai, fal, bfl, stability, ideogram)
    return Catalog(model for maker in makers for model in maker.models())


def routes_for(
    model: Model,
    *,
    today: date,
    endpoints: Mapping[str, EndpointInfo],
    allow_substitution: bool,
) -> list[Route]:
    """Return the routes that may serve a model, best first.

    A retired upstream is left out on the provider's own host only: another host (a compatible
    server, the sandbox) may still serve it. An empty list means that no configured provider can
    serve the model; if the same call with `allow_substitution` gives a route, the model is retired
    and the organization forbids its substitute.

    Args:
        model: The public model.
        today: In UTC.
        endpoints: The configured providers.
        allow_substitution: Whether another upstream model may stand in.
    """
    return [
        route
        for route in model.routes
        if route.provider in endpoints
        and (allow_substitution or not route.substitute)
        and not (
            endpoints[route.provider].official
            and route.retires_on is not None
            and today >= route.retires_on
        )
    ]


def _at(model: Model, costs: Mapping[str, Costs]) -> Model:
    routes = tuple(route.at(costs.get(route.served_by, {})) for route in model.routes)
    return model if all(map(is_, routes, model.routes)) else replace(model, routes=routes)


def _validate(model: Model) -> None:
    """Refuse a model that cannot be sold as it stands.

    Raises:
        CatalogError: Something of it is missing, or contradicts the rest.
    """
    fault = _fault_of_model(model) or _fault_of_prices(model) or _fault_of_routes(model)
    if fault:
        raise CatalogError(f"{model.id} {fault}")


def _fault_of_model(model: Model) -> str | None:
    if not model.sizes.listed or not model.sizes.allows(model.default_size):
        return "does not offer its default size"
    if (model.default_quality is None) != (not model.qualities):
        return "needs a default among its qualities"
    named = {model.default_quality, *model.quality_aliases.values()} - {None}
    if not named <= set(model.qualities):
        return "names a quality it does not have"
    if min(model.max_n, model.prompt_limit) < 1 or not 0 < model.p50_s <= model.p95_s:
        return "has a limit or an expected time that makes no sense"
    return None


def _fault_of_prices(model: Model) -> str | None:
    rows = prices_of(model.key)
    for wanted in model.sizes.listed:
        for quality in model.qualities or (None,):
            price = price_of(rows, wanted, quality)
            if price is None or price <= 0:
                return f"has no price at {wanted} {quality or ''}".rstrip()
    return None


def _fault_of_routes(model: Model) -> str | None:
    if not model.routes:
        return "has no route"
    names = [route.served_by for route in model.routes]
    if len(set(names)) < len(names):
        # An attempt's route is found again by this name.
        return "has a route twice"
    if sorted(route.substitute for route in model.routes) != [
        route.substitute for route in model.routes
    ]:
        return "has a substitute before a route of its own"
    for route in model.routes:
        missing = set(model.qualities) - set(route.qualities)
        if missing and route.qualities:
            return f"by {route.served_by} lacks {sorted(missing)}"
        if not route.cost_source or route.max_n_per_call < 1:
            return f"by {route.served_by} has no source of its cost, or draws no image"
    return None
