"""Exchange rates."""

from datetime import datetime
from decimal import Decimal
from typing import Final

from django.db import transaction

from billing.errors import InvalidAmountError
from billing.models import FxRate
from billing.services.accounts import open_platform_accounts

UNDATED_SOURCES: Final = ("manual", "sample")
"""Sources whose rates hold until they are replaced, however old."""


def set_rate(
    *, base: str, quote: str, rate: Decimal, source: str, as_of: datetime, now: datetime
) -> int:
    """Add a rate; the one with the latest `as_of` that is not in the future is in force.

    Args:
        base: Currency of which one unit is meant.
        quote: Currency the unit is worth `rate` of.
        rate: Positive, at most ten decimals.
        source: Who published it; `manual` and `sample` rates never go stale.
        as_of: The instant it was published for.
        now: When it is recorded.

    Returns:
        Id of the immutable row.

    Raises:
        InvalidAmountError: The rate is not positive, too precise, or the currencies are the same.
        UnknownCurrencyError: A code is not ISO 4217.
    """
    if base == quote:
        raise InvalidAmountError("A rate needs two different currencies.")
    _check_rate(rate)
    with transaction.atomic():
        open_platform_accounts(currency=base)
        open_platform_accounts(currency=quote)
        return FxRate.objects.create(
            base=base, quote=quote, rate=rate, source=source, as_of=as_of, created_at=now
        ).id


def _check_rate(rate: Decimal) -> None:
    usable = rate.is_finite() and Decimal(0) < rate < Decimal(10) ** 10
    if not usable or rate != round(rate, 10):
        raise InvalidAmountError("A rate is a positive number with at most ten decimals.")
