"""Prices and their split in any currency, against fractions."""

from decimal import Decimal
from fractions import Fraction

from hypothesis import given, settings
from hypothesis import strategies as st

from billing.currencies import MINOR_DIGITS
from billing.money import format_amount, parse_amount, unit_price_micros

DECIMALS = st.decimals(min_value=0, max_value=10**6, places=6, allow_nan=False)
RATES = st.decimals(min_value=Decimal("0.0000000001"), max_value=10**6, places=10, allow_nan=False)
SPREADS = st.decimals(min_value=0, max_value=Decimal("0.999999"), places=6, allow_nan=False)


@settings(max_examples=200)
@given(price=DECIMALS, markup=DECIMALS, rate=RATES, spread=SPREADS)
def test_a_price_is_the_exact_product_rounded_half_up_once(price, markup, rate, spread):
    factors = (Fraction(price), 1 + Fraction(markup), Fraction(rate), 1 + Fraction(spread))
    exact = factors[0] * factors[1] * factors[2] * factors[3] * 10**6

    micros = unit_price_micros(price, markup=markup, rate=rate, spread=spread)

    assert micros == (exact + Fraction(1, 2)).__floor__()
    assert unit_price_micros(price, markup=markup, rate=rate) <= micros


@settings(max_examples=200)
@given(micros=st.integers(0, 10**18), currency=st.sampled_from(sorted(MINOR_DIGITS)))
def test_an_amount_is_written_exactly_in_every_currency(micros, currency):
    text = format_amount(micros, currency)

    digits = text.partition(".")[2]
    assert Fraction(text) * 10**6 == micros == parse_amount(text, currency)
    assert MINOR_DIGITS[currency] <= len(digits) <= 6
    assert len(digits) == MINOR_DIGITS[currency] or not digits.endswith("0")
