"""Changing list prices, guarded against selling at a loss."""

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from django.db import transaction

from billing.selectors.markups import default_markup
from billing.selectors.prices import active_prices
from billing.services.accounts import PLATFORM_CURRENCY
from billing.services.prices import set_price
from billing.types import PriceView
from gateway.catalog.check import check_catalog
from gateway.catalog.registry import catalog
from gateway.catalog.sizes import Size
from gateway.catalog.types import Model
from gateway.errors import InvalidRequestError, ModelNotFoundError


@dataclass(frozen=True, slots=True)
class NewPrice:
    """A list price per image. Empty size and quality mean every one that has a price."""

    model: str
    amount: Decimal
    currency: str = PLATFORM_CURRENCY
    size: str = ""
    quality: str = ""


def change_price(
    *, price: NewPrice, accept_loss: bool, created_by: str, now: datetime
) -> list[int]:
    """Set a model's list price from now on, in every matching cell; return the versions' ids.

    One transaction. Holds that exist keep their price.

    Raises:
        ModelNotFoundError: The catalog has no such model.
        InvalidRequestError: The size or quality is not the model's, or a route would be sold at a
            loss and `accept_loss` is False; nothing is changed then.
    """
    model = catalog().find(price.model)
    if model is None:
        raise ModelNotFoundError(f"The model '{price.model}' does not exist.", param="model")
    _check_cell(model, price)
    with transaction.atomic():
        versions = [
            set_price(
                model_key=model.key,
                amount=price.amount,
                now=now,
                currency=price.currency,
                size=size,
                quality=quality,
                created_by=created_by,
            )
            for size, quality in sorted(_cells(model, price, now))
        ]
        losses = find_losses(model_key=model.key, now=now)
        if losses and not accept_loss:
            raise InvalidRequestError(
                "This price would sell at a loss (--accept-loss sets it all the same): "
                + "; ".join(losses[:5]),
                param="amount",
            )
    return versions


def find_losses(*, now: datetime, model_key: str | None = None) -> list[str]:
    """Return every route, size and quality that can cost more than it sells for now."""
    markup = default_markup(now=now)
    book: dict[str, list[PriceView]] = {}
    for price in active_prices(kind="list", now=now):
        book.setdefault(price.model_key, []).append(price)
    keys = {model.id: model.key for model in catalog().models()}
    return [
        finding
        for finding in check_catalog(markup, prices=lambda key: tuple(book.get(key, ())))
        if model_key is None or keys[finding.split(" by ", 1)[0]] == model_key
    ]


def _check_cell(model: Model, price: NewPrice) -> None:
    if price.size:
        size = Size.parse(price.size)
        if size is None or not model.sizes.allows(size):
            raise InvalidRequestError(f"{model.id} has no size {price.size}.", param="size")
    if price.quality and price.quality not in model.qualities:
        raise InvalidRequestError(f"{model.id} has no quality {price.quality}.", param="quality")


def _cells(model: Model, price: NewPrice, now: datetime) -> set[tuple[str, str]]:
    """Return the cell asked for, and the more exact ones that would win over it."""
    cells = {(price.size, price.quality)}
    if price.currency == PLATFORM_CURRENCY:
        cells |= {
            (row.size, row.quality)
            for row in active_prices(kind="list", now=now)
            if row.model_key == model.key
            and price.size in {"", row.size}
            and price.quality in {"", row.quality}
        }
    return cells
