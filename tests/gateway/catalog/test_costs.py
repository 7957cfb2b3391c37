"""What upstreams charge: per image, per megapixel, per unit, per kind of token."""

from decimal import Decimal

import pytest

from gateway.catalog.costs import (
    TOKENS_MAX,
    InCredits,
    PerMegapixel,
    TokenRates,
    by_quality,
    flat,
    token_rates,
)
from gateway.catalog.registry import catalog
from gateway.catalog.sizes import size
from gateway.catalog.types import Route

RATES = TokenRates(
    text_in=Decimal(5),
    image_out=Decimal(30),
    text_out=Decimal(10),
    image_in=Decimal(8),
    cached_text_in=Decimal("1.25"),
    cached_image_in=Decimal(2),
)


def rates_of(upstream: str) -> dict[str, TokenRates]:
    """The rates of an upstream model by provider."""
    routes: list[Route] = [route for model in catalog().models() for route in model.routes]
    return {
        route.provider: route.token_rates
        for route in routes
        if route.upstream_model == upstream and route.token_rates is not None
    }


@pytest.mark.parametrize(
    ("usage", "micros"),
    [
        # 12 text in at 5, 1756 image out at 30.
        ({"input_tokens": 12, "output_tokens": 1756}, 52_740),
        (
            {
                "input_tokens": 12,
                "input_tokens_details": {"text_tokens": 12, "image_tokens": 0},
                "output_tokens": 1756,
                "output_tokens_details": {"image_tokens": 1756, "text_tokens": 0},
            },
            52_740,
        ),
        # 100 text at 5, 400 image at 8, 1000 image out at 30.
        (
            {
                "input_tokens": 500,
                "input_tokens_details": {"text_tokens": 100, "image_tokens": 400},
                "output_tokens": 1000,
            },
            33_700,
        ),
        # One kind named: the rest is the other.
        (
            {
                "input_tokens": 500,
                "input_tokens_details": {"image_tokens": 400},
                "output_tokens": 1000,
                "output_tokens_details": {"text_tokens": 50},
            },
            500 + 3_200 + 50 * 10 + 950 * 30,
        ),
        # 60 of 100 texts and 300 of 400 images were in the cache.
        (
            {
                "input_tokens": 500,
                "input_tokens_details": {
                    "text_tokens": 100,
                    "image_tokens": 400,
                    "cached_tokens": 360,
                    "cached_tokens_details": {"text_tokens": 60, "image_tokens": 300},
                },
                "output_tokens": 1000,
            },
            40 * 5 + 75 + 100 * 8 + 300 * 2 + 30_000,
        ),
        # Not split: text first, which saves less.
        (
            {
                "input_tokens": 500,
                "input_tokens_details": {
                    "text_tokens": 100,
                    "image_tokens": 400,
                    "cached_tokens": 140,
                },
                "output_tokens": 1000,
            },
            125 + 360 * 8 + 40 * 2 + 30_000,
        ),
        ({"input_tokens": 0, "output_tokens": 1, "input_tokens_details": None}, 30),
    ],
)
def test_every_kind_of_token_has_its_rate(usage, micros):
    assert RATES.usage_usd(usage) == Decimal(micros) / 1_000_000


@pytest.mark.parametrize(
    ("asked", "usd"),
    [
        ("512x512", "0.03"),
        ("1024x1024", "0.03"),
        ("1024x1040", "0.045"),
        ("2048x1024", "0.045"),
        ("2048x2048", "0.075"),
    ],
)
def test_credits_are_charged_for_each_megapixel_begun(asked, usd):
    cost = InCredits(Decimal("0.03"), Decimal("0.015"))
    assert cost.usd(size(asked), None) == Decimal(usd)
    assert cost.usd_of_units(Decimal("4.5")) == Decimal("0.045")


def test_missing_rates_are_those_of_text_in_and_image_out():
    rates = TokenRates(text_in=Decimal(5), image_out=Decimal(30))
    usage = {
        "input_tokens": 500,
        "input_tokens_details": {"text_tokens": 100, "image_tokens": 400, "cached_tokens": 450},
        "output_tokens": 1000,
        "output_tokens_details": {"text_tokens": 50, "image_tokens": 950},
    }
    assert rates.usage_usd(usage) == Decimal("0.0325")


GOOD = {"input_tokens": 500, "output_tokens": 1000}


@pytest.mark.parametrize(
    "wrong",
    [
        {"input_tokens": None},
        {"output_tokens": None},
        {"input_tokens": -1},
        {"output_tokens": -1000},
        {"output_tokens": 0},
        {"input_tokens": "500"},
        {"output_tokens": "1000"},
        {"input_tokens": True},
        {"output_tokens": True},
        {"output_tokens": 1000.0},
        {"output_tokens": [1000]},
        {"output_tokens": TOKENS_MAX + 1},
        {"input_tokens": 10**30},
        {"input_tokens_details": "x"},
        {"input_tokens_details": {"text_tokens": 1, "image_tokens": 2}},
        {"input_tokens_details": {"text_tokens": -1, "image_tokens": 501}},
        {"input_tokens_details": {"text_tokens": "500"}},
        {"input_tokens_details": {"text_tokens": True}},
        {"input_tokens_details": {"image_tokens": 501}},
        {"input_tokens_details": {"cached_tokens": 501}},
        {"input_tokens_details": {"cached_tokens": -1}},
        {"input_tokens_details": {"cached_tokens": "1"}},
        {
            "input_tokens_details": {
                "text_tokens": 100,
                "image_tokens": 400,
                "cached_tokens": 200,
                "cached_tokens_details": {"text_tokens": 200},
            }
        },
        {"output_tokens_details": {"image_tokens": 7, "text_tokens": 7}},
        {"output_tokens_details": []},
    ],
)
def test_wrong_usage_has_no_price(wrong):
    assert RATES.usage_usd(GOOD) is not None
    assert RATES.usage_usd({**GOOD, **wrong}) is None


@pytest.mark.parametrize(
    ("upstream", "rates"),
    [
        ("gpt-image-2", ("5", "1.25", "8", "2", "30", None)),
        ("gpt-image-2.5-flare", ("5", "1.25", "8", "2", "30", None)),
        ("gpt-image-2.5-sunburst", ("5", "1.25", "8", "2", "30", None)),
        ("gpt-image-1.5", ("5", "1.25", "8", "2", "32", "10")),
        ("gpt-image-1", ("5", "1.25", "10", "2.5", "40", None)),
        ("gpt-image-1-mini", ("2", "0.20", "2.5", "0.25", "8", None)),
    ],
)
def test_openai_and_azure_charge_the_published_rates(upstream, rates):
    names = ("text_in", "cached_text_in", "image_in", "cached_image_in", "image_out", "text_out")
    expected = token_rates(
        **{name: usd for name, usd in zip(names, rates, strict=True) if usd is not None}
    )

    found = rates_of(upstream)

    assert set(found) <= {"openai", "azure_openai"}
    assert set(found.values()) == {expected}


@pytest.mark.parametrize(
    ("wanted", "whole", "usd"),
    [
        ("1024x1024", True, "0.04"),
        ("1024x1024", False, "0.04"),
        ("512x512", True, "0.04"),
        ("512x512", False, "0.01"),
        ("1440x1024", True, "0.08"),
        ("1440x1024", False, "0.05625"),
    ],
)
def test_megapixels_are_rounded_up_where_the_upstream_does(wanted, whole, usd):
    cost = PerMegapixel(Decimal("0.04"), whole=whole)
    assert cost.usd(size(wanted), None) == Decimal(usd)
    assert cost.usd_of_units(Decimal("1.5")) == Decimal("0.06")


def test_image_is_priced_by_quality_and_units_as_far_as_they_are_images():
    speeds = by_quality({"TURBO": "0.03", "QUALITY": "0.09"})
    square = size("1024x1024")

    assert speeds.usd(square, "QUALITY") == Decimal("0.09")
    assert speeds.usd(square, "FLASH") is None
    assert speeds.usd_of_units(Decimal(3)) is None
    assert flat("0.08").usd_of_units(Decimal(3)) == Decimal("0.24")
    assert flat("0.0025", bills="other").usd_of_units(Decimal("2.25")) is None
    assert flat("0.02", bills="dollars").usd_of_units(Decimal("0.06")) == Decimal("0.06")


def test_prices_follow_the_quality_of_ideogram_3():
    model = catalog().find("ideogram-v3")
    assert model is not None
    costs = [
        [
            route.image_cost.usd(model.default_size, route.upstream_quality(quality))
            for quality in model.qualities
        ]
        for route in model.routes
    ]

    assert costs == [[Decimal("0.03"), Decimal("0.06"), Decimal("0.09")]] * 2
