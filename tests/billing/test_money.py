from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from billing.currencies import MINOR_DIGITS
from billing.errors import InvalidAmountError, UnknownCurrencyError
from billing.money import (
    format_amount,
    image_list_amount,
    parse_amount,
    round_half_up_micro,
    to_decimal,
    unit_price_micros,
)


@pytest.mark.parametrize(
    ("micros", "currency", "text"),
    [
        (840_000, "MXN", "0.84"),
        (9_160_500, "MXN", "9.1605"),
        (12_000_000, "JPY", "12"),
        (12_500_000, "JPY", "12.5"),
        (0, "MXN", "0.00"),
        (1, "USD", "0.000001"),
        (-840_000, "MXN", "-0.84"),
        (1_000_000, "KWD", "1.000"),
    ],
)
def test_format_amount_writes_minor_digits_and_no_needless_zeros(micros, currency, text):
    assert format_amount(micros, currency) == text


@given(st.integers(0, 10**17), st.sampled_from(sorted(MINOR_DIGITS)))
def test_parse_amount_reads_what_format_amount_writes(micros, currency):
    assert parse_amount(format_amount(micros, currency), currency) == micros


@pytest.mark.parametrize(
    "text",
    ["", "-1", "1e3", "1.0000001", ".5", "1.", "NaN", "1,5", " 1", "1\n", "\u0661", "9" * 13],
)
def test_parse_amount_refuses_what_is_not_an_amount(text):
    with pytest.raises(InvalidAmountError):
        parse_amount(text, "USD")


def test_currencies_outside_iso_4217_are_refused():
    with pytest.raises(UnknownCurrencyError):
        parse_amount("1", "mxn")


@pytest.mark.parametrize(
    ("amount", "micros"),
    [
        ("0.0000005", 1),
        ("0.00000049999", 0),
        ("0.0000015", 2),
        ("0.0000025", 3),
        ("-0.0000005", -1),
    ],
)
def test_round_half_up_micro_rounds_halves_away_from_zero(amount, micros):
    assert round_half_up_micro(Decimal(amount)) == micros


def test_unit_price_is_exact_before_it_is_rounded_once():
    assert unit_price_micros(Decimal("0.040"), markup=Decimal("0.05"), rate=Decimal(20)) == 840_000
    # Half a micro less 10^-14: with fewer than 34 digits it would be rounded up to the half first.
    exact = unit_price_micros(
        Decimal("9999999999.9999999999"), markup=Decimal(0), rate=Decimal("5000.0000000001")
    )
    assert exact == 50_000_000_000_000_999_999


def test_a_megapixel_price_scales_with_the_pixels_exactly():
    amount = image_list_amount(Decimal("0.04"), unit="megapixel", pixels=1024 * 1024)
    assert amount == Decimal("0.04194304")
    assert image_list_amount(Decimal("0.04"), unit="image", pixels=1024 * 1024) == Decimal("0.04")


@pytest.mark.parametrize(("pixels", "amount"), [(500_000, "0.053"), (2_048_576, "0.0704")])
def test_a_megapixel_price_with_a_base_never_falls_below_it(pixels, amount):
    listed = image_list_amount(
        Decimal("0.0174"),
        unit="megapixel",
        pixels=pixels,
        base_amount=Decimal("0.053"),
        base_pixels=1_048_576,
    )

    assert listed == Decimal(amount)


def test_to_decimal_is_exact():
    assert to_decimal(9_160_500) == Decimal("9.1605")
