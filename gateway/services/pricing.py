"""Changing list prices, guarded against selling at a loss."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Final

from django.db import transaction

from billing.selectors.markups import default_markup
from billing.selectors.prices import active_prices
from billing.services.accounts import PLATFORM_CURRENCY
from billing.services.prices import OPERATOR_SOURCE, set_price
from billing.types import PriceView
from gateway.catalog.check import check_catalog
from gateway.catalog.registry import catalog
from gateway.catalog.sizes import Size
from gateway.catalog.types import Model
from gateway.errors import InvalidRequestError, ModelNotFoundError
from gateway.services.pricebook.costs import catalog_at
from gateway.services.pricebook.losses import book_of, find_book_losses, model_markups
from gateway.services.pricebook.staff import require_pricing
from orgs.services.audit import Action, Actor, Target, record

SOURCE_LENGTH: Final = 255
MOST_RISE: Final = 3
"""How many times the price in force a new one may be without being asked about."""


@dataclass(frozen=True, slots=True)
class NewPrice:
    """A list price per image. Empty size and quality mean every one that has a price.

    Attributes:
        source: Where it was read, or who decided it.
        active_from: From when on it holds; None is now.
        reason: Why, for the log.
    """

    model: str
    amount: Decimal
    currency: str = PLATFORM_CURRENCY
    size: str = ""
    quality: str = ""
    source: str = OPERATOR_SOURCE
    active_from: datetime | None = None
    reason: str = ""


def change_price(
    *,
    price: NewPrice,
    accept_loss: bool,
    created_by: str,
    actor: Actor,
    now: datetime,
    accept_rise: bool = True,
) -> list[int]:
    """Set a model's list price from an instant on, in every matching cell; return the ids.

    One transaction, with its line in the audit log. Holds that exist keep their price.

    Raises:
        ModelNotFoundError: The catalog has no such model.
        InvalidRequestError: The size or quality is not the model's, the source is empty or the
            instant is past, a route would be sold at a loss (`details["losses"]`) and
            `accept_loss` is False, or the price rises to more than `MOST_RISE` times the one in
            force (`details["in_force"]`) and `accept_rise` is False; nothing is changed then.
        PermissionDeniedError: The actor neither runs the platform nor is of finance.
    """
    require_pricing(actor)
    model = catalog().find(price.model)
    if model is None:
        raise ModelNotFoundError(f"The model '{price.model}' does not exist.", param="model")
    starts_at = price.active_from or now
    _check_cell(model, price)
    _check_origin(price, now)
    with transaction.atomic():
        before = _losses(model.key, price.currency, starts_at)
        cells = _cells(model, price, starts_at)
        if not accept_rise:
            _check_rise(model, price, cells, starts_at)
        versions = _publish(model, price, cells, starts_at, created_by=created_by, now=now)
        losses = _losses(model.key, price.currency, starts_at)
        if losses and not accept_loss:
            raise _loss_error(losses)
        terms = {"active_from": starts_at, "allow_loss": accept_loss, "losses": losses}
        after = {**_as_logged(price), "cells": [" ".join(filter(None, cell)) for cell in cells]}
        record(
            action=Action.PRICE_SET,
            actor=actor,
            organization_id=None,
            target=Target("model", model.key, model.id),
            before={"losses": before},
            after={**after, **terms},
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
        for finding in check_catalog(
            markup,
            models=catalog_at(now),
            prices=lambda key: tuple(book.get(key, ())),
            markups=model_markups(now=now),
        )
        if model_key is None or keys[finding.split(" by ", 1)[0]] == model_key
    ]


def _losses(model_key: str, currency: str, at: datetime) -> list[str]:
    if currency == PLATFORM_CURRENCY:
        return find_losses(model_key=model_key, now=at)
    return find_book_losses(currency=currency, now=at, model_keys=[model_key])


def _loss_error(losses: list[str]) -> InvalidRequestError:
    return InvalidRequestError(
        "This price would sell at a loss (--accept-loss sets it all the same): "
        + "; ".join(losses[:5]),
        param="amount",
        details={"losses": losses},
    )


def _as_logged(price: NewPrice) -> dict[str, object]:
    return {
        "amount": f"{price.amount:f}",
        "currency": price.currency,
        "source": price.source,
        "reason": price.reason or None,
    }


def _check_cell(model: Model, price: NewPrice) -> None:
    if price.size:
        size = Size.parse(price.size)
        if size is None or not model.sizes.allows(size):
            raise InvalidRequestError(f"{model.id} has no size {price.size}.", param="size")
    if price.quality and price.quality not in model.qualities:
        raise InvalidRequestError(f"{model.id} has no quality {price.quality}.", param="quality")


def _check_origin(price: NewPrice, now: datetime) -> None:
    if not price.source.strip() or len(price.source) > SOURCE_LENGTH:
        raise InvalidRequestError("A price needs a source.", param="source")
    if price.active_from is not None and price.active_from < now:
        raise InvalidRequestError("A price cannot begin in the past.", param="active_from")


def _publish(
    model: Model,
    price: NewPrice,
    cells: Mapping[tuple[str, str], Decimal],
    starts_at: datetime,
    *,
    created_by: str,
    now: datetime,
) -> list[int]:
    return [
        set_price(
            model_key=model.key,
            amount=price.amount,
            now=now,
            currency=price.currency,
            size=size,
            quality=quality,
            created_by=created_by,
            source=price.source,
            active_from=starts_at,
            input_amount=input_amount,
        )
        for (size, quality), input_amount in cells.items()
    ]


def _check_rise(
    model: Model, price: NewPrice, cells: Collection[tuple[str, str]], at: datetime
) -> None:
    in_force = [
        row.amount
        for row in active_prices(kind="list", now=at, price_book=book_of(price.currency).name)
        if row.model_key == model.key and (row.size, row.quality) in cells
    ]
    least = min(in_force, default=price.amount)
    if price.amount > least * MOST_RISE:
        raise InvalidRequestError(
            f"The price in force is {least.normalize():f} {price.currency}.",
            param="amount",
            details={"in_force": f"{least.normalize():f}"},
        )


def _cells(model: Model, price: NewPrice, at: datetime) -> dict[tuple[str, str], Decimal]:
    """Return the cell asked for, and the more exact ones that would win over it.

    Each with the price of an image sent along, which stays as it is.
    """
    cell = (price.size, price.quality)
    if price.currency != PLATFORM_CURRENCY:
        return {cell: Decimal(0)}
    rows = [row for row in active_prices(kind="list", now=at) if row.model_key == model.key]
    cells = {
        (row.size, row.quality): row.input_amount
        for row in rows
        if price.size in {"", row.size} and price.quality in {"", row.quality}
    }
    own = {cell: max((row.input_amount for row in rows), default=Decimal(0))}
    return dict(sorted({**own, **cells}.items()))
