"""Exchange rates."""

from datetime import datetime
from decimal import Decimal

from django.db import transaction

from billing.errors import InvalidAmountError
from billing.models import FxRate
from billing.services.accounts import open_platform_accounts


def set_rate(
    *, base: str, quote: str, rate: Decimal, source: str, as_of: datetime, now: datetime
) -> int:
    """Add a rate; `billing.selectors.rates.force` says which one is in force.

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
    check_rate(rate)
    with transaction.atomic():
        open_platform_accounts(currency=base)
        open_platform_accounts(currency=quote)
        return FxRate.objects.create(
            base=base, quote=quote, rate=rate, source=source, as_of=as_of, created_at=now
        ).id


def check_rate(rate: Decimal) -> None:
    """Refuse a rate that cannot be kept exactly.

    Raises:
        InvalidAmountError: It is not positive, or too precise.
    """
    usable = rate.is_finite() and Decimal(0) < rate < Decimal(10) ** 10
    if not usable or rate != round(rate, 10):
        raise InvalidAmountError("A rate is a positive number with at most ten decimals.")
