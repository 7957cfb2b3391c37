"""Quote the price of one image."""

from collections.abc import Sequence
from datetime import datetime
from decimal import Decimal
from typing import Any, Final, NamedTuple
from uuid import UUID

from django.conf import settings
from django.db import connection

from billing.errors import FxRateStaleError, ModelNotPricedError
from billing.models import AccountCode
from billing.money import image_list_amount, unit_price_micros
from billing.selectors.rates.force import RATE_IN_FORCE, is_stale, rate_params
from billing.services.accounts import account
from billing.services.prices import PLATFORM_BOOK
from billing.types import UnitQuote

_TERMS: Final = f"""
SELECT price.id, price.price_book, price.unit, price.amount, price.base_amount,
    price.base_pixels, price.input_amount, price.currency, markup.id AS markup_id,
    coalesce(markup.rate, 0) AS markup_rate, fx.id AS fx_id, fx.rate AS fx_rate, fx.source,
    fx.as_of, spread.id AS spread_id, spread.rate AS spread_rate
FROM (
    SELECT id, price_book, unit, amount, base_amount, base_pixels, input_amount,
        currency
    FROM billing_priceversion
    WHERE kind = 'list' AND model_key = cell.model_key AND route = ''
        AND size IN (cell.size, '') AND quality IN (cell.quality, '')
        AND active_from <= %(now)s
        AND (price_book = %(platform)s OR currency = %(currency)s)
    ORDER BY price_book <> %(platform)s DESC, size <> '' DESC, quality <> '' DESC,
        active_from DESC, id DESC
    LIMIT 1
) AS price
LEFT JOIN LATERAL (
    SELECT id, rate
    FROM (
        SELECT DISTINCT ON (organization_id, model_key) id, rate, organization_id, model_key
        FROM billing_markup
        WHERE (organization_id = %(organization_id)s OR organization_id IS NULL)
            AND model_key IN (cell.model_key, '') AND active_from <= %(now)s
        ORDER BY organization_id, model_key, active_from DESC, id DESC
    ) AS newest
    WHERE rate IS NOT NULL
    ORDER BY organization_id IS NOT NULL DESC, model_key <> '' DESC
    LIMIT 1
) AS markup ON price.price_book = %(platform)s
LEFT JOIN LATERAL ({
    RATE_IN_FORCE.format(
        base="price.currency", quote="%(currency)s::text", now="%(now)s::timestamptz"
    )
}) AS fx ON price.currency <> %(currency)s
LEFT JOIN LATERAL (
    SELECT id, rate
    FROM billing_fxspread
    WHERE (organization_id = %(organization_id)s OR organization_id IS NULL)
        AND base IN (price.currency, '') AND quote IN (%(currency)s, '')
        AND active_from <= %(now)s
    ORDER BY organization_id IS NOT NULL DESC, base <> '' DESC, active_from DESC, id DESC
    LIMIT 1
) AS spread ON price.currency <> %(currency)s
"""  # noqa: S608 - made of constants
_CELLS: Final = """
unnest(%(model_keys)s::text[], %(sizes)s::text[], %(qualities)s::text[])
WITH ORDINALITY AS cell (model_key, size, quality, number)
"""
_QUOTE: Final = f"""
SELECT terms.*, EXISTS (
    SELECT FROM billing_balance
    WHERE account_id = %(promo_account_id)s AND posted_micros > held_micros
) AS has_promo
FROM {_CELLS} LEFT JOIN LATERAL ({_TERMS}) AS terms ON true
ORDER BY cell.number
"""  # noqa: S608 - constants of this module
"""Everything a price is made of, in one statement: the hot path quotes without a cache, so that
a changed price, markup or rate holds for the very next request."""


class Cell(NamedTuple):
    """What is priced: a model at a resolved size and quality, with its width x height.

    `inputs` counts the images sent along to make one image of.
    """

    model_key: str
    size: str
    quality: str
    pixels: int
    inputs: int = 0


class _Terms(NamedTuple):
    price_version_id: int
    price_book: str
    price_unit: str
    amount: Decimal
    base_amount: Decimal
    base_pixels: int
    input_amount: Decimal
    list_currency: str
    markup_id: int | None
    markup: Decimal
    fx_rate_id: int | None
    fx_rate: Decimal | None
    fx_source: str | None
    fx_as_of: datetime | None
    spread_id: int | None
    spread: Decimal | None
    has_promo: bool


def quote_unit(*, organization_id: UUID, currency: str, cell: Cell, now: datetime) -> UnitQuote:
    """Price one image: `list x (1 + markup) x rate x (1 + spread)`, rounded half up once.

    The price of the exact size and quality wins over one for any size or quality. A book other
    than the platform's, in the wallet's own currency, is charged as it stands.

    Args:
        organization_id: Whose markup applies.
        currency: Of the wallet.
        cell: What is priced; its key is the catalog's, one for the bare and the namespaced id.
        now: The instant the price is asked for.

    Raises:
        ModelNotPricedError: No price is active, or it rounds to nothing.
        FxRateStaleError: No rate is in force, or one beyond `FX_MAX_AGE_DAYS`.
    """
    [terms] = _read_terms([cell], organization_id=organization_id, currency=currency, now=now)
    return _quote(cell, terms, currency=currency, now=now)


def quote_cells(
    *, organization_id: UUID, currency: str, cells: Sequence[Cell], now: datetime
) -> list[UnitQuote | None]:
    """Price many cells in one statement, as `quote_unit` does; None where it would raise."""
    rows = _read_terms(cells, organization_id=organization_id, currency=currency, now=now)
    quotes: list[UnitQuote | None] = []
    for cell, terms in zip(cells, rows, strict=True):
        try:
            quotes.append(_quote(cell, terms, currency=currency, now=now))
        except (ModelNotPricedError, FxRateStaleError):
            quotes.append(None)
    return quotes


def _quote(cell: Cell, terms: _Terms | None, *, currency: str, now: datetime) -> UnitQuote:
    if terms is None:
        raise ModelNotPricedError(
            f"The model '{cell.model_key}' has no price at this size and quality yet."
        )
    rate, spread = _rate(terms, currency=currency, now=now)
    list_amount = image_list_amount(
        terms.amount,
        unit=terms.price_unit,
        pixels=cell.pixels,
        base_amount=terms.base_amount,
        base_pixels=terms.base_pixels,
        input_amount=terms.input_amount,
        inputs=cell.inputs,
    )
    unit_micros = unit_price_micros(list_amount, markup=terms.markup, rate=rate, spread=spread)
    exchanged_micros = unit_price_micros(list_amount, markup=terms.markup, rate=rate)
    list_unit_micros = unit_price_micros(list_amount, markup=terms.markup, rate=Decimal(1))
    if exchanged_micros <= 0 or list_unit_micros <= 0:
        raise ModelNotPricedError(f"The price of '{cell.model_key}' is less than can be charged.")
    return UnitQuote(
        unit_micros=unit_micros,
        currency=currency,
        list_unit_micros=list_unit_micros,
        price_version_id=terms.price_version_id,
        price_book=terms.price_book,
        price_unit=terms.price_unit,
        pixels=cell.pixels,
        list_amount=list_amount,
        list_currency=terms.list_currency,
        markup=terms.markup,
        markup_id=terms.markup_id,
        rate=rate,
        fx_rate_id=terms.fx_rate_id,
        inputs=cell.inputs,
        spread=spread,
        spread_id=terms.spread_id,
        has_promo=terms.has_promo,
    )


def _read_terms(
    cells: Sequence[Cell], *, organization_id: UUID, currency: str, now: datetime
) -> list[_Terms | None]:
    params: dict[str, Any] = {
        "organization_id": organization_id,
        "currency": currency,
        "model_keys": [cell.model_key for cell in cells],
        "sizes": [cell.size for cell in cells],
        "qualities": [cell.quality for cell in cells],
        "now": now,
        "platform": PLATFORM_BOOK,
        "promo_account_id": account(AccountCode.WALLET_PROMO, currency, organization_id).id,
        **rate_params(now=now),
    }
    with connection.cursor() as cursor:
        cursor.execute(_QUOTE, params)
        rows = cursor.fetchall()
    return [None if row[0] is None else _Terms(*row) for row in rows]


def _rate(terms: _Terms, *, currency: str, now: datetime) -> tuple[Decimal, Decimal]:
    """Return the rate and the spread on it."""
    if terms.list_currency == currency:
        return Decimal(1), Decimal(0)
    pair = f"{terms.list_currency}/{currency}"
    if terms.fx_rate is None or terms.fx_as_of is None or terms.fx_source is None:
        raise FxRateStaleError(
            f"There is no exchange rate for {pair} in force, so this request cannot be priced."
        )
    if is_stale(terms.fx_source, as_of=terms.fx_as_of, now=now):
        raise FxRateStaleError(
            f"The exchange rate for {pair} is from {terms.fx_as_of:%Y-%m-%d}, too old to charge by."
        )
    return terms.fx_rate, settings.FX_SPREAD if terms.spread is None else terms.spread
