"""Spreads on exchange rates."""

from datetime import datetime
from decimal import Decimal
from uuid import UUID

from billing.errors import InvalidAmountError
from billing.models import FxSpread
from billing.money import check_currency


def set_spread(
    *,
    rate: Decimal,
    now: datetime,
    base: str = "",
    quote: str = "",
    organization_id: UUID | None = None,
    created_by: str = "",
) -> int:
    """Add a spread in force from now on; holds and quotes that exist keep theirs.

    Precedence: an organization's for a pair, an organization's, a pair's, the platform's, the
    setting `FX_SPREAD`.

    Args:
        rate: A fraction with at most six decimals: 0.01 is one percent.
        now: From when it holds.
        base: With `quote` the pair it is for; empty for all.
        quote: See `base`.
        organization_id: Whose, or None for everybody.
        created_by: Who decided it.

    Raises:
        InvalidAmountError: The rate is negative, 1 or more, or too precise; or half a pair.
        UnknownCurrencyError: A code is not ISO 4217.
    """
    usable = rate.is_finite() and Decimal(0) <= rate < Decimal(1)
    if not usable or rate != round(rate, 6):
        raise InvalidAmountError("A spread is a fraction below 1 with at most six decimals.")
    if (base or quote) and base == quote:
        raise InvalidAmountError("A pair needs two different currencies.")
    for code in filter(None, (base, quote)):
        check_currency(code)
    if bool(base) != bool(quote):
        raise InvalidAmountError("A spread is for a whole pair, or for all.")
    return FxSpread.objects.create(
        organization_id=organization_id,
        base=base,
        quote=quote,
        rate=rate,
        active_from=now,
        created_at=now,
        created_by=created_by,
    ).id
