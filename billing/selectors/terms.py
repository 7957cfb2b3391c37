"""Read what a hold was authorized at, with where its prices and rates come from."""

from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal

from billing.models import Hold


@dataclass(frozen=True, slots=True)
class HoldTerms:
    """A hold, the terms it was authorized at, and how it ended. Amounts are micros of `currency`.

    Attributes:
        promo_micros: How much of what was captured promotional credit paid.
        markup: A fraction: 0.05 is five percent.
        rate: Units of `currency` for one of `list_currency`; 1 where they are the same.
        rate_source: Who said so, and `rate_as_of` when; None without an exchange.
        spread: What was added to the rate, as a fraction.
    """

    status: str
    currency: str
    amount_micros: int
    unit_micros: int
    count: int
    captured_micros: int
    captured_count: int
    promo_micros: int
    authorized_at: datetime
    closed_at: datetime | None
    price_version_id: int
    price_book: str
    price_source: str
    price_source_date: date
    price_active_from: datetime
    list_amount: Decimal
    list_currency: str
    markup: Decimal
    rate: Decimal
    rate_source: str | None
    rate_as_of: datetime | None
    spread: Decimal

    @property
    def released_micros(self) -> int:
        """Return what was given back at the end; 0 while it is open."""
        return 0 if self.closed_at is None else self.amount_micros - self.captured_micros


def find_terms(*, reference: str) -> HoldTerms | None:
    """Return the terms of a generation's hold, if it has one. One query."""
    hold = (
        Hold.objects.select_related("price_version", "fx_rate").filter(reference=reference).first()
    )
    if hold is None:
        return None
    price, rate = hold.price_version, hold.fx_rate
    return HoldTerms(
        status=hold.status,
        currency=hold.currency,
        amount_micros=hold.amount_micros,
        unit_micros=hold.unit_micros,
        count=hold.count,
        captured_micros=hold.captured_micros,
        captured_count=hold.captured_count,
        promo_micros=min(hold.promo_micros, hold.captured_micros),
        authorized_at=hold.authorized_at,
        closed_at=hold.closed_at,
        price_version_id=price.id,
        price_book=price.price_book,
        price_source=price.source,
        price_source_date=price.source_date,
        price_active_from=price.active_from,
        list_amount=hold.list_amount,
        list_currency=hold.list_currency,
        markup=hold.markup,
        rate=hold.rate,
        rate_source=None if rate is None else rate.source,
        rate_as_of=None if rate is None else rate.as_of,
        spread=hold.spread,
    )
