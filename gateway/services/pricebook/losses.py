"""Whether prices of any book could sell an image below its cost."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from decimal import Decimal

from billing.selectors.markups import default_markup
from billing.selectors.pricebook import Book, standing_markups
from billing.selectors.prices import active_prices
from billing.selectors.rates.force import rates_in_force
from billing.services.accounts import PLATFORM_CURRENCY
from billing.services.prices import PLATFORM_BOOK
from billing.types import PriceView
from gateway.catalog.check import NO_MARKUPS, check_catalog
from gateway.catalog.registry import catalog
from gateway.services.pricebook.costs import catalog_at

ONE = Decimal(1)
NO_PRICE = "has no price"


def book_of(currency: str) -> Book:
    """Return the book whose prices wallets in a currency are charged; USD's is the platform's."""
    is_platform = currency == PLATFORM_CURRENCY
    return Book(PLATFORM_BOOK if is_platform else currency.lower(), currency)


def usd_rate(*, currency: str, now: datetime) -> Decimal | None:
    """Return how much of a currency one USD is; None without a rate that is fit to charge by."""
    if currency == PLATFORM_CURRENCY:
        return ONE
    pair = (PLATFORM_CURRENCY, currency)
    found = rates_in_force(pairs=[pair], at=now).get(pair)
    return None if found is None or found.is_stale else found.rate


def find_book_losses(
    *, currency: str, now: datetime, model_keys: Iterable[str], rows: Sequence[PriceView] = ()
) -> list[str]:
    """Return what of a book could sell below cost at an instant, a sentence each.

    A price in another currency than USD is compared at the exchange rate of that instant; without
    one a loss cannot be ruled out, which counts as one.

    Args:
        currency: The book's.
        now: The instant.
        model_keys: The models to look at.
        rows: Prices to suppose in place of those in force in their cells.
    """
    book = book_of(currency)
    wanted = frozenset(model_keys)
    rate = usd_rate(currency=currency, now=now)
    if rate is None:
        return [f"{key}: no exchange rate USD/{currency} to compare by" for key in sorted(wanted)]
    supposed = merged(active_prices(kind="list", now=now, price_book=book.name), rows)
    is_platform = book.name == PLATFORM_BOOK
    markup = default_markup(now=now) if is_platform else Decimal(0)
    prices = {
        key: [_in_usd(row, rate) for row in found]
        for key, found in supposed.items()
        if key in wanted
    }
    markups = model_markups(now=now) if is_platform else NO_MARKUPS
    return _losses(markup, prices, wanted, now=now, markups=markups)


def find_markup_losses(
    *, markup: Decimal, now: datetime, model_key: str = "", is_own: bool = False
) -> list[str]:
    """Return what would sell below cost in USD with another markup, of one model or all.

    Of all, models that have a markup of their own keep it, unless it is an organization's.
    """
    prices = merged(active_prices(kind="list", now=now), ())
    keeps = not model_key and not is_own
    own = model_markups(now=now) if keeps else NO_MARKUPS
    wanted = frozenset({model_key} if model_key else prices)
    return _losses(markup, prices, wanted, now=now, markups=own)


def find_route_losses(*, route: str, now: datetime) -> list[str]:
    """Return what a route could draw below its cost at list prices of the platform's book."""
    prices = merged(active_prices(kind="list", now=now), ())
    found = _losses(
        default_markup(now=now),
        prices,
        frozenset(prices),
        now=now,
        markups=model_markups(now=now),
    )
    return [finding for finding in found if f" by {route}: " in finding]


def model_markups(*, now: datetime) -> dict[str, Decimal]:
    """Return the markups that models have of their own, by key."""
    return {key: rate for key, rate in standing_markups(now=now).items() if key}


def merged(active: Iterable[PriceView], rows: Iterable[PriceView]) -> dict[str, list[PriceView]]:
    """Return prices by model, those of `rows` in place of the others in their cells."""
    cells = {(row.model_key, row.size, row.quality): row for row in (*active, *rows)}
    prices: dict[str, list[PriceView]] = {}
    for row in cells.values():
        prices.setdefault(row.model_key, []).append(row)
    return prices


def _losses(
    markup: Decimal,
    prices: Mapping[str, Sequence[PriceView]],
    wanted: frozenset[str],
    *,
    now: datetime,
    markups: Mapping[str, Decimal],
) -> list[str]:
    keys = {model.id: model.key for model in catalog().models()}
    return [
        finding
        for finding in check_catalog(
            markup,
            models=catalog_at(now),
            prices=lambda key: prices.get(key, ()),
            markups=markups,
        )
        if keys[finding.split(" by ", 1)[0]] in wanted and not finding.endswith(NO_PRICE)
    ]


def _in_usd(row: PriceView, rate: Decimal) -> PriceView:
    return replace(
        row,
        amount=round(row.amount / rate, 8),
        base_amount=round(row.base_amount / rate, 8),
        input_amount=round(row.input_amount / rate, 8),
        currency=PLATFORM_CURRENCY,
    )
