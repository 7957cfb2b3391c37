"""What a payment by card may be, and how the payment provider counts it."""

from types import MappingProxyType
from typing import Final

from billing.currencies import MINOR_DIGITS
from billing.errors import InvalidAmountError
from billing.money import (
    MAX_DECIMALS,
    MICROS_PER_UNIT,
    check_currency,
    format_amount,
    is_payable,
)

# Where Stripe's minor unit is another than ISO 4217's (docs.stripe.com/currencies, read 2026-11).
_STRIPE_DIGITS: Final = MappingProxyType({"ISK": 2, "UGX": 2, "MGA": 0})
_LARGEST_DIGITS: Final = 3
# In units; about USD 5 to USD 10,000, well above the least that Stripe takes. A currency that is
# not here is paid by bank transfer.
_LIMITS: Final = MappingProxyType(
    {
        "AUD": (10, 15_000),
        "BRL": (30, 50_000),
        "CAD": (10, 15_000),
        "CHF": (5, 10_000),
        "CLP": (5_000, 9_000_000),
        "COP": (20_000, 40_000_000),
        "CZK": (100, 200_000),
        "DKK": (50, 70_000),
        "EUR": (5, 10_000),
        "GBP": (5, 10_000),
        "HKD": (50, 80_000),
        "INR": (500, 800_000),
        "JPY": (1_000, 1_500_000),
        "KRW": (10_000, 13_000_000),
        "MXN": (100, 200_000),
        "NOK": (50, 100_000),
        "NZD": (10, 15_000),
        "PEN": (20, 40_000),
        "PLN": (20, 40_000),
        "SEK": (50, 100_000),
        "SGD": (10, 15_000),
        "USD": (5, 10_000),
        "UYU": (200, 400_000),
        "ZAR": (100, 180_000),
    }
)


def limits_of(currency: str) -> tuple[int, int] | None:
    """Return the least and the most of one payment by card before tax, in micros.

    None takes no cards.
    """
    limits = _LIMITS.get(currency)
    return limits and (limits[0] * MICROS_PER_UNIT, limits[1] * MICROS_PER_UNIT)


def check_payable(micros: int, currency: str, *, param: str = "amount") -> None:
    """Refuse an amount, before tax, that cannot be paid by card.

    Raises:
        InvalidAmountError: It is too small, too large, or finer than the currency's minor unit.
    """
    limits = limits_of(currency)
    if limits is None:
        raise InvalidAmountError(f"{currency} cannot be paid by card.", param=param)
    least, most = limits
    if not least <= micros <= most:
        raise InvalidAmountError(
            f"Pay between {format_amount(least, currency)} and"
            f" {format_amount(most, currency)} {currency} at a time.",
            param=param,
        )
    if not is_payable(micros, currency):
        raise InvalidAmountError(f"{currency} cannot be paid that finely.", param=param)


def to_minor(micros: int, currency: str) -> int:
    """Return an amount in Stripe's minor units, exactly.

    Raises:
        InvalidAmountError: It has a fraction of one.
    """
    units, rest = divmod(micros, _minor_micros(currency))
    if rest:
        raise InvalidAmountError(f"{micros} micros of {currency} are no whole minor units.")
    return units


def from_minor(amount: int, currency: str) -> int:
    """Return an amount in Stripe's minor units as micros."""
    return amount * _minor_micros(currency)


def _minor_micros(currency: str) -> int:
    digits = _STRIPE_DIGITS.get(check_currency(currency), MINOR_DIGITS[currency])
    return int(10 ** (MAX_DECIMALS - min(digits, _LARGEST_DIGITS)))
