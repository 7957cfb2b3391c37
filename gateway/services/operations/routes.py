"""Public models as operators see them: which routes serve them, and what each image leaves."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from enum import StrEnum
from typing import Final

from django.conf import settings

from billing.selectors.pricebook import standing_markups
from billing.selectors.prices import active_prices
from billing.types import PriceView
from gateway.catalog.check import allowed_loss, worst_cost
from gateway.catalog.prices import price_of, row_of
from gateway.catalog.registry import Catalog, catalog
from gateway.catalog.sizes import Size
from gateway.catalog.types import Model, Route, Status
from gateway.models import Breaker, Pause
from gateway.services.pricebook.costs import catalog_at
from gateway.services.routing import real_endpoints, sandbox_endpoints

ONE: Final = Decimal(1)


class Skip(StrEnum):
    """Why a route is left out at present."""

    NO_KEY = "no_key"
    RETIRED = "retired"
    PAUSED = "paused"
    BREAKER = "breaker"
    LOSS = "loss"


@dataclass(frozen=True, slots=True)
class RouteState:
    """A route of a model now.

    Attributes:
        skip: Why no request takes it; None while requests may.
        losing: At how many sizes and qualities it would cost more than the image sells for.
        cells: At how many it has a known cost.
    """

    route: Route
    skip: Skip | None
    losing: int
    cells: int


@dataclass(frozen=True, slots=True)
class CellCost:
    """What an image of one size and quality can cost by a route at most, in USD."""

    route: Route
    cost: Decimal
    is_loss: bool


@dataclass(frozen=True, slots=True)
class Cell:
    """One size and quality of a model, in USD.

    Attributes:
        version: The price in force; None where there is none.
        sale: The list price with the platform's markup.
        worst: The dearest of the routes that may serve it, or of all where none may.
    """

    size: Size
    quality: str | None
    version: PriceView | None
    list_price: Decimal | None
    sale: Decimal | None
    worst: CellCost | None

    @property
    def margin(self) -> Decimal | None:
        """Return what the worst case leaves; negative is a loss."""
        if self.sale is None or self.worst is None:
            return None
        return self.sale - self.worst.cost

    @property
    def margin_rate(self) -> Decimal | None:
        """Return the margin as a fraction of the sale price."""
        return self.margin / self.sale if self.margin is not None and self.sale else None


@dataclass(frozen=True, slots=True)
class ModelState:
    """A public model now.

    Attributes:
        is_sandboxed: Nobody but the sandbox serves it, and that for demo organizations alone.
    """

    model: Model
    status: Status
    routes: Sequence[RouteState]
    cells: Sequence[Cell]
    is_sandboxed: bool

    @property
    def is_served(self) -> bool:
        """Whether some route takes requests."""
        return any(one.skip is None for one in self.routes)

    @property
    def sales(self) -> tuple[Decimal, Decimal] | None:
        """Return the lowest and the highest sale price."""
        found = [cell.sale for cell in self.cells if cell.sale is not None]
        return (min(found), max(found)) if found else None

    @property
    def least_margin(self) -> Cell | None:
        """Return the cell whose worst case leaves the smallest part of its price."""
        known = [cell for cell in self.cells if cell.margin_rate is not None]
        return min(known, key=lambda cell: cell.margin_rate or ONE, default=None)


@dataclass(frozen=True, slots=True)
class Situation:
    """What the states of models are made of, read once for all of them."""

    now: datetime
    models: Catalog
    markups: Mapping[str, Decimal]
    prices: Mapping[str, Sequence[PriceView]]
    waiting: frozenset[str]
    paused: frozenset[str]


def list_models(*, now: datetime) -> list[ModelState]:
    """Return every public id with its routes and cells. Five queries."""
    situation = _situation(now)
    return [_state(model, situation) for model in situation.models.models()]


def find_model(*, model_id: str, now: datetime) -> ModelState | None:
    """Return one public id, or None if there is none. Five queries."""
    if catalog().find(model_id) is None:
        return None
    situation = _situation(now)
    model = situation.models.find(model_id)
    return None if model is None else _state(model, situation)


def _situation(now: datetime) -> Situation:
    prices: dict[str, list[PriceView]] = {}
    for price in active_prices(kind="list", now=now):
        prices.setdefault(price.model_key, []).append(price)
    waiting = Breaker.objects.filter(is_open=True, retry_at__gt=now)
    return Situation(
        now=now,
        models=catalog_at(now),
        markups=standing_markups(now=now),
        prices=prices,
        waiting=frozenset(waiting.values_list("provider", flat=True)),
        paused=frozenset(Pause.objects.values_list("provider", flat=True)),
    )


def _state(model: Model, situation: Situation) -> ModelState:
    wanted = [
        (size, quality) for size in model.sizes.listed for quality in model.qualities or (None,)
    ]
    rows = situation.prices.get(model.key, ())
    markups = situation.markups
    markup = markups.get(model.key, markups.get("", Decimal(0)))
    sales = {cell: _sale(rows, *cell, markup) for cell in wanted}
    costs = {
        cell: [
            cost
            for route in model.routes
            if (cost := _cell_cost(model, route, *cell, sales[cell])) is not None
        ]
        for cell in wanted
    }
    routes = [
        _route_state(
            route,
            [one for found in costs.values() for one in found if one.route is route],
            situation,
        )
        for route in model.routes
    ]
    serving = [one.route for one in routes if one.skip is None]
    return ModelState(
        model=model,
        status=model.status_on(situation.now.date()),
        routes=routes,
        cells=[
            Cell(
                size=cell[0],
                quality=cell[1],
                version=row_of(rows, *cell),
                list_price=price_of(rows, *cell),
                sale=sales[cell],
                worst=_worst(costs[cell], serving),
            )
            for cell in wanted
        ],
        is_sandboxed=not any(route.provider in real_endpoints() for route in model.routes)
        and bool(sandbox_endpoints())
        and settings.LIENZO_SANDBOX == "auto",
    )


def _sale(
    rows: Sequence[PriceView], size: Size, quality: str | None, markup: Decimal
) -> Decimal | None:
    price = price_of(rows, size, quality)
    return None if price is None else price * (1 + markup)


def _cell_cost(
    model: Model, route: Route, size: Size, quality: str | None, sale: Decimal | None
) -> CellCost | None:
    cost = worst_cost(model, route, size, quality)
    if cost is None:
        return None
    is_loss = sale is not None and cost > sale + allowed_loss(route, size, quality)
    return CellCost(route, cost, is_loss)


def _worst(costs: Sequence[CellCost], serving: Sequence[Route]) -> CellCost | None:
    """Return the dearest route that a request for the cell may take."""
    taken = [one for one in costs if one.route in serving and not one.is_loss]
    return max(taken or costs, key=lambda one: one.cost, default=None)


def _route_state(route: Route, costs: Sequence[CellCost], situation: Situation) -> RouteState:
    losing = sum(one.is_loss for one in costs)
    return RouteState(
        route,
        skip=_skip(route, situation) or (Skip.LOSS if costs and losing == len(costs) else None),
        losing=losing,
        cells=len(costs),
    )


def _skip(route: Route, situation: Situation) -> Skip | None:
    endpoint = real_endpoints().get(route.provider)
    if endpoint is None:
        return Skip.NO_KEY
    is_past = route.retires_on is not None and situation.now.date() >= route.retires_on
    if endpoint.official and is_past:
        return Skip.RETIRED
    if route.provider in situation.paused:
        return Skip.PAUSED
    return Skip.BREAKER if route.provider in situation.waiting else None
