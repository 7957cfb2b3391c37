"""Amounts: integers in micros (10^-6 of the currency unit) beside an ISO 4217 code.

Prices and rates are `Decimal`s; they become micros in one place, `round_half_up_micro`.
"""

import re
from decimal import ROUND_HALF_UP, Context, Decimal
from typing import Final

from billing.currencies import MINOR_DIGITS
from billing.errors import InvalidAmountError, UnknownCurrencyError

MICROS_PER_UNIT: Final = 1_000_000
MAX_DECIMALS: Final = 6
MAX_AMOUNT_MICROS: Final = 10**18
"""One trillion units: the most one amount may be; sums of them still fit a signed 64-bit column."""

_AMOUNT = re.compile(r"[0-9]{1,13}(\.[0-9]{1,6})?", re.ASCII)
# Wide enough that a product of a price, a markup and a rate is exact before it is rounded once.
_EXACT: Final = Context(prec=80, rounding=ROUND_HALF_UP)


def check_currency(code: str) -> str:
    """Return `code` if it is an active ISO 4217 currency.

    Raises:
        UnknownCurrencyError: It is not (codes are upper case).
    """
    if code not in MINOR_DIGITS:
        raise UnknownCurrencyError(f"'{code}' is not an active ISO 4217 currency code.")
    return code


def round_half_up_micro(amount: Decimal) -> int:
    """Round an amount in currency units to micros, halves away from zero.

    The only rounding of charges; every other sum is of integers.
    """
    micros = _EXACT.multiply(amount, Decimal(MICROS_PER_UNIT))
    return int(micros.quantize(Decimal(1), context=_EXACT))


def round_half_up_minor(amount: Decimal, currency: str) -> int:
    """Round an amount in currency units to the currency's minor unit, as micros; taxes are."""
    minor = Decimal(1).scaleb(-MINOR_DIGITS[check_currency(currency)])
    return round_half_up_micro(amount.quantize(minor, context=_EXACT))


def is_payable(micros: int, currency: str) -> bool:
    """Return whether an amount is of whole minor units, as money outside is."""
    minor_micros: int = 10 ** (MAX_DECIMALS - MINOR_DIGITS[check_currency(currency)])
    return micros % minor_micros == 0


def unit_price_micros(
    list_amount: Decimal, *, markup: Decimal, rate: Decimal, spread: Decimal = Decimal(0)
) -> int:
    """Return `list_amount x (1 + markup) x rate x (1 + spread)`, rounded once to a micro.

    Args:
        list_amount: Price of one image in the list currency.
        markup: A fraction: 0.05 is five percent.
        rate: Units of the wallet's currency for one unit of the list currency.
        spread: What is added to the rate, as a fraction.
    """
    marked_up = _EXACT.multiply(list_amount, _EXACT.add(Decimal(1), markup))
    charged_rate = _EXACT.multiply(rate, _EXACT.add(Decimal(1), spread))
    return round_half_up_micro(_EXACT.multiply(marked_up, charged_rate))


def image_list_amount(
    amount: Decimal,
    *,
    unit: str,
    pixels: int,
    base_amount: Decimal = Decimal(0),
    base_pixels: int = 0,
    input_amount: Decimal = Decimal(0),
    inputs: int = 0,
) -> Decimal:
    """Return the exact list price of one image of `pixels` for a price per `unit`.

    Per megapixel: `base_amount`, plus `amount` for each million pixels beyond `base_pixels`. Each
    of the `inputs` sent along to make it of adds `input_amount`.
    """
    for_inputs = _EXACT.multiply(input_amount, Decimal(inputs))
    if unit != "megapixel":
        return _EXACT.add(amount, for_inputs)
    further = Decimal(max(0, pixels - base_pixels))
    by_area = _EXACT.divide(_EXACT.multiply(amount, further), Decimal(MICROS_PER_UNIT))
    return _EXACT.add(_EXACT.add(base_amount, by_area), for_inputs)


def to_decimal(micros: int) -> Decimal:
    """Return an amount of micros in currency units, exactly."""
    return Decimal(micros).scaleb(-MAX_DECIMALS, context=_EXACT)


def format_amount(micros: int, currency: str) -> str:
    """Write an amount as a plain decimal string.

    At least the currency's minor digits, at most six, no exponent, no zeros beyond the minor
    digits: `0.84`, `9.1605`, JPY `12`.
    """
    minor_digits = MINOR_DIGITS[check_currency(currency)]
    sign = "-" if micros < 0 else ""
    whole, fraction = divmod(abs(micros), MICROS_PER_UNIT)
    digits = f"{fraction:06d}".rstrip("0").ljust(minor_digits, "0")
    return f"{sign}{whole}.{digits}" if digits else f"{sign}{whole}"


def parse_amount(text: str, currency: str) -> int:
    """Read a non-negative decimal string with at most six decimals as micros.

    Raises:
        InvalidAmountError: Not such a string, or more than a trillion units.
        UnknownCurrencyError: The currency is not an ISO 4217 code.
    """
    check_currency(currency)
    if not _AMOUNT.fullmatch(text):
        raise InvalidAmountError(
            f"'{text[:40]}' is not an amount: write digits with at most six decimals, like 12.50."
        )
    micros = round_half_up_micro(Decimal(text))
    if micros > MAX_AMOUNT_MICROS:
        raise InvalidAmountError(f"{text} {currency} is more than one amount may be.")
    return micros
