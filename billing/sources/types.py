"""What a source of rates returns, and how it fails."""

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal, InvalidOperation
from typing import Final

DECIMALS: Final = 10
_LARGEST: Final = Decimal(10) ** 9


class SourceError(Exception):
    """A source did not answer, or not with its rates."""


@dataclass(frozen=True, slots=True)
class PublishedRate:
    """Units of `quote` for one unit of `base`, as its source published it for an instant."""

    base: str
    quote: str
    rate: Decimal
    as_of: datetime


def read_rate(text: str) -> Decimal:
    """Return a published figure.

    Raises:
        SourceError: It is no positive number that a rate could be.
    """
    try:
        rate = Decimal(text.strip().replace(",", ""))
    except InvalidOperation as error:
        raise SourceError(f"'{text[:40]}' is not a rate") from error
    if not rate.is_finite() or not 0 < rate < _LARGEST or rate != round(rate, DECIMALS):
        raise SourceError(f"'{text[:40]}' is not a rate")
    return rate
