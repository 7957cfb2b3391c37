"""Quote the price of one image."""

from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any, Final, NamedTuple
from uuid import UUID

from django.conf import settings
from django.db import connection

from billing.errors import FxRateStaleError, ModelNotPricedError
from billing.money import image_list_amount, unit_price_micros
from billing.services.fx import UNDATED_SOURCES
from billing.services.prices import PLATFORM_BOOK
from billing.types import UnitQuote

_QUOTE: Final = """
SELECT price.id, price.price_book, price.unit, price.amount, price.base_amount,
    price.base_pixels, price.currency,
    markup.id, coalesce(markup.rate, 0), fx.id, fx.rate, fx.source, fx.as_of
FROM (
    SELECT id, price_book, unit, amount, base_amount, base_pixels, currency
    FROM billing_priceversion
    WHERE kind = 'list' AND model_key = %(model_key)s AND route = ''
        AND size IN (%(size)s, '') AND quality IN (%(quality)s, '')
        AND active_from <= %(now)s
        AND (price_book = %(platform)s OR currency = %(currency)s)
    ORDER BY price_book <> %(platform)s DESC, size <> '' DESC, quality <> '' DESC,
        active_from DESC, id DESC
    LIMIT 1
) AS price
LEFT JOIN LATERAL (
    SELECT id, rate
    FROM billing_markup
    WHERE (organization_id = %(organization_id)s OR organization_id IS NULL)
        AND model_key IN (%(model_key)s, '') AND active_from <= %(now)s
    ORDER BY organization_id IS NOT NULL DESC, model_key <> '' DESC, active_from DESC, id DESC
    LIMIT 1
) AS markup ON price.price_book = %(platform)s
LEFT JOIN LATERAL (
    SELECT id, rate, source, as_of
    FROM billing_fxrate
    WHERE base = price.currency AND quote = %(currency)s AND as_of <= %(now)s
    ORDER BY as_of DESC, id DESC
    LIMIT 1
) AS fx ON price.currency <> %(currency)s
"""
"""Everything a price is made of, in one statement: the hot path quotes without a cache, so that
a changed price, markup or rate holds for the very next request."""


class _Terms(NamedTuple):
    price_version_id: int
    price_book: str
    price_unit: str
    amount: Decimal
    base_amount: Decimal
    base_pixels: int
    list_currency: str
    markup_id: int | None
    markup: Decimal
    fx_rate_id: int | None
    fx_rate: Decimal | None
    fx_source: str | None
    fx_as_of: datetime | None


def quote_unit(
    *,
    organization_id: UUID,
    currency: str,
    model_key: str,
    size: str,
    quality: str,
    pixels: int,
    now: datetime,
) -> UnitQuote:
    """Price one image: `list x (1 + markup) x rate`, rounded half up to a micro once.

    The price of the exact size and quality wins over one for any size or quality. A book other
    than the platform's, in the wallet's own currency, is charged as it stands.

    Args:
        organization_id: Whose markup applies.
        currency: The wallet's.
        model_key: What the prices are kept under.
        size: Resolved size, such as `1024x1024`.
        quality: Resolved quality, or empty.
        pixels: Width x height, for prices per megapixel.
        now: The instant the price is asked for.

    Raises:
        ModelNotPricedError: No price is active, or it rounds to nothing.
        FxRateStaleError: The rate is missing or, unless manual or sample, beyond `FX_MAX_AGE_DAYS`.
    """
    terms = _read_terms(
        {
            "organization_id": organization_id,
            "currency": currency,
            "model_key": model_key,
            "size": size,
            "quality": quality,
            "now": now,
            "platform": PLATFORM_BOOK,
        }
    )
    rate = _rate(terms, currency=currency, now=now)
    list_amount = image_list_amount(
        terms.amount,
        unit=terms.price_unit,
        pixels=pixels,
        base_amount=terms.base_amount,
        base_pixels=terms.base_pixels,
    )
    unit_micros = unit_price_micros(list_amount, markup=terms.markup, rate=rate)
    list_unit_micros = unit_price_micros(list_amount, markup=terms.markup, rate=Decimal(1))
    if unit_micros <= 0 or list_unit_micros <= 0:
        raise ModelNotPricedError(f"The price of '{model_key}' is less than can be charged.")
    return UnitQuote(
        unit_micros=unit_micros,
        currency=currency,
        list_unit_micros=list_unit_micros,
        price_version_id=terms.price_version_id,
        price_book=terms.price_book,
        price_unit=terms.price_unit,
        pixels=pixels,
        list_amount=list_amount,
        list_currency=terms.list_currency,
        markup=terms.markup,
        markup_id=terms.markup_id,
        rate=rate,
        fx_rate_id=terms.fx_rate_id,
    )


def _read_terms(params: dict[str, Any]) -> _Terms:
    with connection.cursor() as cursor:
        cursor.execute(_QUOTE, params)
        row = cursor.fetchone()
    if row is None:
        raise ModelNotPricedError(
            f"The model '{params['model_key']}' has no price at this size and quality yet."
        )
    return _Terms(*row)


def _rate(terms: _Terms, *, currency: str, now: datetime) -> Decimal:
    if terms.list_currency == currency:
        return Decimal(1)
    pair = f"{terms.list_currency}/{currency}"
    if terms.fx_rate is None or terms.fx_as_of is None:
        raise FxRateStaleError(
            f"There is no exchange rate for {pair} yet, so this request cannot be priced."
        )
    oldest = now - timedelta(days=settings.FX_MAX_AGE_DAYS)
    if terms.fx_source not in UNDATED_SOURCES and terms.fx_as_of < oldest:
        raise FxRateStaleError(
            f"The exchange rate for {pair} is from {terms.fx_as_of:%Y-%m-%d}, too old to charge by."
        )
    return terms.fx_rate
