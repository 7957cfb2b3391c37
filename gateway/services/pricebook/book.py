"""A price book with what its prices leave in the worst case, in the book's currency."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Final

from billing.selectors.pricebook import Book, book_prices, standing_markups
from billing.selectors.prices import PublishedPrice
from billing.services.prices import PLATFORM_BOOK
from billing.types import PriceView
from gateway.catalog.check import allowed_loss, worst_cost
from gateway.catalog.prices import price_of, row_of
from gateway.catalog.registry import Catalog, catalog
from gateway.catalog.sizes import Size
from gateway.catalog.types import Model, Route
from gateway.services.pricebook.costs import catalog_at
from gateway.services.pricebook.losses import usd_rate

ONE: Final = Decimal(1)


@dataclass(frozen=True, slots=True)
class Earning:
    """What one image leaves in the worst case.

    Attributes:
        sale: The price with markup.
        cost: The dearest route that may take it, or of all where every one would lose.
    """

    size: Size
    quality: str | None
    sale: Decimal
    cost: Decimal
    provider: str

    @property
    def gain(self) -> Decimal:
        """Return what is left; negative is a loss."""
        return self.sale - self.cost

    @property
    def rate(self) -> Decimal:
        """Return the gain as a fraction of the sale price."""
        return self.gain / self.sale


@dataclass(frozen=True, slots=True)
class BookRow:
    """A list price of the book.

    Attributes:
        is_scheduled: It is not in force yet.
        markup: Added to it; zero in a book of another currency.
        least: The least that it leaves of the sizes and qualities it prices; None where it prices
            none, or there is no exchange rate to compare by.
        model_id: A public id of the model.
    """

    published: PublishedPrice
    is_scheduled: bool
    markup: Decimal
    least: Earning | None
    model_id: str

    @property
    def sale(self) -> Decimal:
        """Return the price with markup; a megapixel's where it is per megapixel."""
        return self.published.price.amount * (1 + self.markup)


@dataclass(frozen=True, slots=True)
class RouteCost:
    """What a model costs us by one route, in USD per image: the least and the most of its cells."""

    model: Model
    route: Route
    lowest: Decimal
    highest: Decimal
    cells: int


def read_book(*, book: Book, now: datetime) -> list[BookRow]:
    """Return the rows of a book by model and cell, those to come after the one in force."""
    active, coming = book_prices(book=book, now=now)
    markups = standing_markups(now=now) if book.name == PLATFORM_BOOK else {}
    rate = usd_rate(currency=book.currency, now=now)
    by_model: dict[str, list[PriceView]] = {}
    for one in active:
        by_model.setdefault(one.price.model_key, []).append(one.price)
    models = models_by_key(catalog_at(now))
    rows = []
    for is_scheduled, found in ((False, active), (True, coming)):
        for one in found:
            price = one.price
            model = models.get(price.model_key)
            markup = markups.get(price.model_key, markups.get("", Decimal(0)))
            others = [row for row in by_model.get(price.model_key, ()) if _differ(row, price)]
            least = (
                None
                if model is None or rate is None
                else least_earning(model, price, [*others, price], markup=markup, rate=rate)
            )
            model_id = price.model_key if model is None else model.id
            rows.append(BookRow(one, is_scheduled, markup, least, model_id))
    return sorted(rows, key=_place)


def least_earning(
    model: Model, price: PriceView, rows: Sequence[PriceView], *, markup: Decimal, rate: Decimal
) -> Earning | None:
    """Return the least that a price leaves of the sizes and qualities it is the price of.

    Args:
        model: Whose price it is.
        price: One of `rows`.
        rows: The prices of the model in the book.
        markup: A fraction that is added to them.
        rate: How much of the book's currency one USD is.
    """
    earnings = [
        earning
        for size in model.sizes.listed
        for quality in model.qualities or (None,)
        if row_of(rows, size, quality) is price
        and (earning := _earning(model, size, quality, rows, markup=markup, rate=rate))
    ]
    return min(earnings, key=lambda one: one.rate, default=None)


def list_costs(*, now: datetime) -> list[RouteCost]:
    """Return what every model costs by each of its routes, one public id of each model."""
    models = models_by_key(catalog_at(now))
    rows = []
    for key in sorted(models):
        model = models[key]
        for route in model.routes:
            costs = [
                cost
                for size in model.sizes.listed
                for quality in model.qualities or (None,)
                if (cost := worst_cost(model, route, size, quality)) is not None
            ]
            if costs:
                rows.append(RouteCost(model, route, min(costs), max(costs), len(costs)))
    return rows


def route_models(route: str) -> list[str]:
    """Return the models that have a route, one public id of each."""
    models = models_by_key().values()
    found = (one.id for one in models if any(way.served_by == route for way in one.routes))
    return sorted(found)


def models_by_key(models: Catalog | None = None) -> dict[str, Model]:
    """Return each model once, under its bare id if it has one."""
    found = (models or catalog()).models()
    return {model.key: model for model in sorted(found, key=lambda one: -len(one.id))}


def _earning(
    model: Model,
    size: Size,
    quality: str | None,
    rows: Iterable[PriceView],
    *,
    markup: Decimal,
    rate: Decimal,
) -> Earning | None:
    price = price_of(rows, size, quality)
    if price is None:
        return None
    sale = price * (1 + markup)
    costs = [
        (
            round(cost * rate, 6),
            cost <= sale / rate + allowed_loss(route, size, quality),
            route.provider,
        )
        for route in model.routes
        if (cost := worst_cost(model, route, size, quality)) is not None
    ]
    taken = [one for one in costs if one[1]] or costs
    if not taken:
        return None
    cost, _, provider = max(taken)
    return Earning(size, quality, sale, cost, provider)


def _differ(one: PriceView, other: PriceView) -> bool:
    return (one.size, one.quality) != (other.size, other.quality)


def _place(row: BookRow) -> tuple[object, ...]:
    price = row.published.price
    return price.model_key, price.size, price.quality, row.is_scheduled, price.active_from
