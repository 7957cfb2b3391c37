"""The check that no image is sold below its cost, and that every route can draw what is sold."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from decimal import Decimal
from types import MappingProxyType

from gateway.catalog.prices import PriceRow, input_price_of, price_of, prices_of
from gateway.catalog.registry import Catalog, CatalogError, catalog
from gateway.catalog.sizes import Ask, Size
from gateway.catalog.types import Model, Route

NO_LOSS = Decimal(0)
NO_MARKUPS: Mapping[str, Decimal] = MappingProxyType({})
# The platform's own, until an operator sets another.
DEFAULT_MARKUP = Decimal("0.05")

PriceBook = Callable[[str], Iterable[PriceRow]]


def require_sound(models: Catalog | None = None) -> None:
    """Check the catalog at start, at list prices with the default markup.

    Raises:
        CatalogError: It contradicts itself, or `check_catalog` has findings.
    """
    findings = check_catalog(DEFAULT_MARKUP, models=models)
    if findings:
        raise CatalogError("\n".join(("the catalog is not sound:", *findings)))


def check_catalog(
    markup: Decimal,
    *,
    models: Catalog | None = None,
    prices: PriceBook = prices_of,
    markups: Mapping[str, Decimal] = NO_MARKUPS,
) -> list[str]:
    """Return what is wrong with the catalog, a sentence each; empty if nothing is.

    Args:
        markup: Added to list prices, as a fraction: 0.05 is five percent.
        models: The catalog to check instead of the shipped one.
        prices: USD prices by `Model.key`, instead of the list prices.
        markups: Of models that have one of their own, by `Model.key`.
    """
    return [
        f"{model.id} by {route.served_by}: {finding}"
        for model in (models or catalog()).models()
        for route in model.routes
        for finding in _check_route(
            model, route, markups.get(model.key, markup), tuple(prices(model.key))
        )
    ]


def worst_cost(
    model: Model, route: Route, wanted: Size, quality: str | None, *, inputs: int = 0
) -> Decimal | None:
    """Return the most that one image made from so many others can cost us by a route, in USD.

    None if the route cannot draw the size, cannot edit, or has no price for it.
    """
    asked = route.sizing.ask(wanted)
    cost = None if asked is None else _cost(model, route, asked, quality)
    if cost is None or not inputs:
        return cost
    return None if route.editing is None else cost + inputs * route.editing.input_cost


def may_serve(
    model: Model,
    route: Route,
    wanted: Size,
    quality: str | None,
    *,
    sale_usd: Decimal,
    inputs: int = 0,
) -> bool:
    """Return whether a route costs at most what the image sells for, or its loss is accepted.

    `sale_usd` is the list price with markup, per image; `inputs` counts the images sent along.
    """
    cost = worst_cost(model, route, wanted, quality, inputs=inputs)
    return cost is not None and cost <= sale_usd + allowed_loss(route, wanted, quality)


def affordable_partials(
    model: Model,
    route: Route,
    wanted: Size,
    quality: str | None,
    *,
    asked: int,
    sale_usd: Decimal,
    inputs: int = 0,
) -> int:
    """Return how many of the partial images asked for a route may send.

    They are part of the image's price, so with them its worst cost must stay within what it sells
    for, as `may_serve` has it.
    """
    cost = worst_cost(model, route, wanted, quality, inputs=inputs)
    if route.partial_cost is None or cost is None:
        return 0
    left = sale_usd + allowed_loss(route, wanted, quality) - cost
    return max(0, min(asked, int(left // route.partial_cost)))


def allowed_loss(route: Route, wanted: Size, quality: str | None) -> Decimal:
    """Return the greatest loss accepted for one cell, USD per image."""
    accepted = [loss.up_to for loss in route.allowed_losses if loss.applies(wanted, quality)]
    return max(accepted, default=NO_LOSS)


def _check_route(
    model: Model, route: Route, markup: Decimal, rows: tuple[PriceRow, ...]
) -> Iterator[str]:
    if any(not loss.reason for loss in route.allowed_losses):
        yield "an accepted loss has no reason"
    for wanted in model.sizes.listed:
        asked = route.sizing.ask(wanted)
        if asked is None:
            if wanted not in route.leaves or not _is_reached(model, wanted):
                yield f"cannot reach {wanted}"
            continue
        for quality in model.qualities or (None,):
            finding = _check_cell(model, route, asked, wanted, quality, rows, markup)
            if finding:
                yield f"{wanted} {quality or ''}".rstrip() + f" {finding}"


def _is_reached(model: Model, wanted: Size) -> bool:
    return any(route.sizing.ask(wanted) for route in model.routes)


def _check_cell(
    model: Model,
    route: Route,
    asked: Ask,
    wanted: Size,
    quality: str | None,
    rows: tuple[PriceRow, ...],
    markup: Decimal,
) -> str | None:
    price = price_of(rows, wanted, quality)
    cost = _cost(model, route, asked, quality)
    if price is None:
        return "has no price"
    if cost is None:
        return "has no known cost"
    sale = price * (1 + markup)
    if cost > sale + allowed_loss(route, wanted, quality):
        return f"costs up to {cost.normalize():f} USD and sells for {sale.normalize():f} USD"
    if route.editing is not None:
        # With the greatest number of images, and a mask. What the image leaves may pay for them.
        inputs = route.editing.max_inputs + 1
        cost += inputs * route.editing.input_cost
        sale += inputs * input_price_of(rows, wanted, quality) * (1 + markup)
        if cost > sale + allowed_loss(route, wanted, quality):
            return (
                f"with {inputs} images sent along costs up to {cost.normalize():f} USD"
                f" and sells for {sale.normalize():f} USD"
            )
    return None


def _cost(model: Model, route: Route, asked: Ask, quality: str | None) -> Decimal | None:
    image = route.image_cost.usd(asked.size, route.upstream_quality(quality))
    if image is None or route.token_rates is None:
        return image
    limit = min(model.prompt_limit, route.prompt_limit or model.prompt_limit)
    return image + route.token_rates.prompt_usd(limit)
