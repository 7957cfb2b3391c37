"""What providers charge us: the price book's versions, in place of the catalog's figures."""

import time
from collections.abc import Iterable
from datetime import datetime
from decimal import Decimal
from functools import cache
from typing import Final, get_args

from billing.selectors.pricebook import active_costs
from billing.services.accounts import PLATFORM_CURRENCY
from billing.types import PriceRow, PriceView
from core.clock import now as clock
from gateway.catalog.costs import CostKey, Unit
from gateway.catalog.registry import Catalog, catalog
from gateway.catalog.types import Route

REFRESH_S: Final = 1.0
_UNITS: Final[dict[str, Unit]] = {unit: unit for unit in get_args(Unit)}
CostsByRoute = dict[str, dict[CostKey, Decimal]]


def catalog_at(now: datetime) -> Catalog:
    """Return the catalog at the costs in force at an instant. One query."""
    return catalog().at(_by_route(active_costs(now=now)))


def route_at_cost(route: Route) -> Route:
    """Return a route of the catalog at the costs in force, as this process knows them.

    They are at most a second old, so that no request waits for them: what a call is presumed to
    cost, or costs, follows a change that late. Queries with the caller's connection at most once a
    second, and raises `OperationalError` or `InterfaceError` while Postgres is away.
    """
    return route.at(_board().costs().get(route.served_by, {}))


def cost_rows() -> list[PriceRow]:
    """Return the catalog's own figures as the price book takes them, once for each route."""
    rows = {
        (route.served_by, key): PriceRow(
            kind="cost",
            model_key="",
            amount=usd,
            currency=PLATFORM_CURRENCY,
            source=route.cost_source,
            source_date=route.cost_read_on,
            unit=key.unit,
            route=route.served_by,
            size=key.size,
            quality=key.quality,
        )
        for route in all_routes()
        for key, usd in route.costs().items()
    }
    return [rows[place] for place in sorted(rows)]


def all_routes() -> Iterable[Route]:
    """Return every route of every model; one that several models have, several times."""
    return (route for model in catalog().models() for route in model.routes)


def cost_key(price: PriceView) -> CostKey:
    """Return what a cost is the price of."""
    return CostKey(_UNITS[price.unit], price.size, price.quality)


class _Board:
    """The costs in force, as this process knows them: a view of the rows, never the truth."""

    def __init__(self) -> None:
        self._costs: CostsByRoute = {}
        self._read_at = float("-inf")

    def costs(self) -> CostsByRoute:
        """Return them by route, read again when a second has passed."""
        moment = time.monotonic()
        if moment - self._read_at >= REFRESH_S:
            costs = _by_route(active_costs(now=clock()))
            self._costs, self._read_at = costs, moment
        return self._costs

    def forget(self) -> None:
        """Read them for whoever asks next."""
        self._read_at = float("-inf")


@cache
def _board() -> _Board:
    return _Board()


def forget_costs() -> None:
    """Let this process read the costs anew."""
    _board().forget()


def _by_route(prices: Iterable[PriceView]) -> CostsByRoute:
    costs: CostsByRoute = {}
    for price in prices:
        costs.setdefault(price.route, {})[cost_key(price)] = price.amount
    return costs
