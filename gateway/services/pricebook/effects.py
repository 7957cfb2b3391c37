"""What other prices would have made of a month's traffic."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any, Final

from django.db import connection

from billing.money import MICROS_PER_UNIT, image_list_amount, unit_price_micros
from billing.selectors.captures import PRICED_CAPTURES
from billing.selectors.pricebook import Book
from billing.selectors.prices import active_prices
from billing.services.prices import PLATFORM_BOOK
from billing.types import PriceView
from gateway.catalog.prices import row_of
from gateway.catalog.registry import catalog
from gateway.catalog.sizes import Size
from gateway.services.pricebook.losses import book_of, merged, usd_rate
from gateway.services.pricebook.sheets import Sheet

MICRO: Final = Decimal(MICROS_PER_UNIT)
_TRAFFIC: Final = f"""
SELECT generation.model, generation.parameters ->> 'size',
    coalesce(generation.parameters ->> 'quality', ''), capture.pixels, capture.inputs,
    capture.markup, sum(capture.images)::bigint, sum(capture.list_micros)::bigint,
    sum(capture.amount_micros)::bigint, coalesce(sum(attempts.micros), 0)::bigint
FROM ({PRICED_CAPTURES}) AS capture
JOIN gateway_generation AS generation ON generation.id = capture.reference::uuid
LEFT JOIN LATERAL (
    SELECT sum(cost_micros) AS micros FROM gateway_attempt WHERE generation_id = generation.id
) AS attempts ON true
WHERE generation.model = ANY(%(models)s)
    AND CASE WHEN %(is_platform)s THEN capture.price_book = %(platform)s
        ELSE capture.currency = %(currency)s END
GROUP BY 1, 2, 3, 4, 5, 6
"""  # noqa: S608 - made of constants


@dataclass(frozen=True, slots=True)
class Effect:
    """One model's traffic of the month at the prices then and at others, in the book's currency.

    Attributes:
        cost: What the attempts cost us; None without an exchange rate.
    """

    model_key: str
    images: int
    then: Decimal
    after: Decimal
    cost: Decimal | None

    @property
    def change(self) -> Decimal:
        """Return by how much the revenue differs."""
        return self.after - self.then

    @property
    def gain_then(self) -> Decimal | None:
        """Return what was left."""
        return None if self.cost is None else self.then - self.cost

    @property
    def gain_after(self) -> Decimal | None:
        """Return what would have been left."""
        return None if self.cost is None else self.after - self.cost


@dataclass(frozen=True, slots=True)
class BookEffect:
    """The effect of a file on one book: each of its models with traffic, and their sum."""

    book: Book
    models: Sequence[Effect]
    total: Effect


def last_month(now: datetime) -> tuple[datetime, datetime]:
    """Return when the month before began and ended, in UTC."""
    until = now.astimezone(UTC).replace(day=1, hour=0, minute=0, second=0, microsecond=0)
    return (until - timedelta(days=1)).replace(day=1), until


def sheet_effects(sheet: Sheet, *, now: datetime) -> list[BookEffect]:
    """Return what the prices of a file would have made of last month's traffic, by book.

    All prices of the file count, whenever they begin; markups are those of then. The platform's
    book has the traffic that was priced by it, in USD before exchange; another one all of the
    wallets in its currency, which it would charge.
    """
    return [
        _book_effect(currency, sheet, now)
        for currency in sorted({one.row.currency for one in sheet.prices})
    ]


def _book_effect(currency: str, sheet: Sheet, now: datetime) -> BookEffect:
    book = book_of(currency)
    rows = sorted(
        (one for one in sheet.prices if one.row.currency == currency),
        key=lambda one: one.begins(now),
    )
    prices = merged(
        active_prices(kind="list", now=now, price_book=book.name), [one.view(now) for one in rows]
    )
    rate = usd_rate(currency=currency, now=now)
    sums: dict[str, Effect] = {}
    for key, effect in _traffic(book, {one.row.model_key for one in rows}, prices, rate, now):
        sums[key] = _sum(key, [effect, *([sums[key]] if key in sums else [])], rate)
    models = [sums[key] for key in sorted(sums)]
    return BookEffect(book, models, _sum("", models, rate))


def _sum(key: str, effects: Sequence[Effect], rate: Decimal | None) -> Effect:
    return Effect(
        key,
        sum(one.images for one in effects),
        sum((one.then for one in effects), Decimal(0)),
        sum((one.after for one in effects), Decimal(0)),
        None if rate is None else sum((one.cost or Decimal(0) for one in effects), Decimal(0)),
    )


def _traffic(
    book: Book,
    model_keys: set[str],
    prices: Mapping[str, Sequence[PriceView]],
    rate: Decimal | None,
    now: datetime,
) -> list[tuple[str, Effect]]:
    keys = {model.id: model.key for model in catalog().models() if model.key in model_keys}
    since, until = last_month(now)
    is_platform = book.name == PLATFORM_BOOK
    params: dict[str, Any] = {
        "since": since,
        "until": until,
        "models": list(keys),
        "is_platform": is_platform,
        "platform": PLATFORM_BOOK,
        "currency": book.currency,
    }
    with connection.cursor() as cursor:
        cursor.execute(_TRAFFIC, params)
        found = cursor.fetchall()
    effects = []
    for model, size, quality, pixels, inputs, markup, images, listed, charged, cost in found:
        key = keys[model]
        then = listed if is_platform else charged
        row = row_of(prices.get(key, ()), _size(size), quality or None)
        after = then
        if row is not None:
            after = images * _unit(row, pixels, inputs, markup if is_platform else Decimal(0))
        usd = Decimal(cost) / MICRO
        in_book = None if rate is None else round(usd * rate, 6)
        effects.append((key, Effect(key, images, then / MICRO, after / MICRO, in_book)))
    return effects


def _unit(row: PriceView, pixels: int, inputs: int, markup: Decimal) -> int:
    amount = image_list_amount(
        row.amount,
        unit=row.unit,
        pixels=pixels,
        base_amount=row.base_amount,
        base_pixels=row.base_pixels,
        input_amount=row.input_amount,
        inputs=inputs,
    )
    return unit_price_micros(amount, markup=markup, rate=Decimal(1))


def _size(text: str | None) -> Size:
    """Return the size; one that is not recorded is like none that has a price of its own."""
    return Size.parse(text or "") or Size(0, 0)
