"""List prices in USD: what markup and exchange rates apply to.

A model and its other id share a price by `Model.key`. A row without size or quality holds for any.
The most exact row wins: size and quality, then size, then quality, then neither.

A row in megapixels prices the sizes that have no row of their own: up to the area of 1024x1024 such
an image costs what 1024x1024 of its quality costs, and each further million pixels adds the row's
amount, in proportion. OpenAI's own token formula grows in the same way, so that no size sells below
its cost.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import date
from decimal import Decimal
from functools import cache
from typing import Literal, Protocol, TypeVar

from gateway.catalog.costs import MILLION
from gateway.catalog.sizes import Size

Unit = Literal["image", "megapixel"]

BASE_SIZE = Size(1024, 1024)
SOURCE_DATE = date(2026, 11, 21)
PUBLISHED = "Lienzo's published price table"
FAL_PRICES = "fal.ai pricing"
GOOGLE_PRICES = "ai.google.dev pricing"
IDEOGRAM_PRICES = "ideogram.ai API pricing"
BFL_PRICES = "bfl.ai pricing"
STABILITY_PRICES = "platform.stability.ai pricing"
OPENAI_PRICES = "openai.com API pricing, image guide"
XAI_PRICES = "x.ai API pricing"


class PriceRow(Protocol):
    """What `price_of` needs of a stored or a listed price."""

    @property
    def size(self) -> str | None:
        """`WIDTHxHEIGHT`, or None for any."""

    @property
    def quality(self) -> str | None:
        """A public quality, or None for any."""

    @property
    def amount(self) -> Decimal:
        """Per unit."""

    @property
    def unit(self) -> str:
        """`image` or `megapixel`."""

    @property
    def base_amount(self) -> Decimal:
        """For up to `base_pixels`, per megapixel."""

    @property
    def base_pixels(self) -> int:
        """Pixels that `base_amount` pays for."""

    @property
    def input_amount(self) -> Decimal:
        """For each image sent along, to be edited."""


Row = TypeVar("Row", bound=PriceRow)


@dataclass(frozen=True, slots=True)
class ListPrice:
    """The price of one model, in one cell.

    Attributes:
        key: `Model.key`.
        size: `WIDTHxHEIGHT`, or None for any.
        quality: A public quality, or None for any.
        amount: USD per `unit`; per megapixel, for each million pixels beyond `base_pixels`.
        base_amount: USD for up to `base_pixels`, on prices per megapixel.
        source_date: When the source was read.
        input_amount: USD for each image sent along, to be edited.
    """

    key: str
    size: str | None
    quality: str | None
    amount: Decimal
    unit: Unit
    source: str
    source_date: date = SOURCE_DATE
    base_amount: Decimal = Decimal(0)
    base_pixels: int = 0
    input_amount: Decimal = Decimal(0)


# For each image sent along to be edited, and for a mask, beside the price of the image.
INPUT: Mapping[str, str] = {
    "gpt-image-1": "0.07",
    # The model itself counts far less, but what stands in for it works at high fidelity.
    "gpt-image-1-mini": "0.055",
    "gpt-image-1.5": "0.055",
    "gpt-image-2": "0.055",
    "gpt-image-2-2026-04-21": "0.055",
    "gpt-image-2.5-flare": "0.055",
    "gpt-image-2.5-sunburst": "0.055",
    "dall-e-2": "0.055",
    "grok-imagine-image": "0.002",
    "grok-imagine-image-pro": "0.002",
    "grok-imagine-image-quality": "0.002",
    "grok-imagine-image-2.0": "0.002",
    "gemini-2.5-flash-image": "0.0028",
    "gemini-3.1-flash-image": "0.0006",
    "gemini-3-pro-image": "0.0023",
    # Four megapixels each.
    "flux-2-pro": "0.06",
    "flux-2-max": "0.12",
    "flux-2-flex": "0.20",
    "flux-2-klein-4b": "0.004",
    "flux-2-klein-9b": "0.008",
}

# One price at any size and quality.
FLAT: Mapping[str, tuple[str, str]] = {
    "gpt-image-1": ("0.19", PUBLISHED),
    "imagen-4": ("0.04", PUBLISHED),
    "imagen-4-fast": ("0.02", GOOGLE_PRICES),
    "imagen-4-ultra": ("0.06", GOOGLE_PRICES),
    "gemini-2.5-flash-image": ("0.039", GOOGLE_PRICES),
    "gemini-3.1-flash-image": ("0.0672", GOOGLE_PRICES),
    "gemini-3-pro-image": ("0.134", GOOGLE_PRICES),
    "grok-2-image": ("0.07", PUBLISHED),
    "grok-imagine-image": ("0.02", XAI_PRICES),
    "grok-imagine-image-pro": ("0.05", XAI_PRICES),
    "grok-imagine-image-quality": ("0.05", XAI_PRICES),
    "flux-1.1-pro": ("0.04", PUBLISHED),
    "flux-1.1-pro-ultra": ("0.06", PUBLISHED),
    "recraft-v3": ("0.04", PUBLISHED),
    "ideogram-v2": ("0.08", PUBLISHED),
    "sd-3.5-large": ("0.065", PUBLISHED),
    "flux-schnell": ("0.003", FAL_PRICES),
    "ideogram-v2-turbo": ("0.05", IDEOGRAM_PRICES),
    "flux-dev": ("0.025", BFL_PRICES),
    "flux-kontext-pro": ("0.04", BFL_PRICES),
    "flux-kontext-max": ("0.08", BFL_PRICES),
    "stable-diffusion-xl": ("0.009", STABILITY_PRICES),
    "stable-image-core": ("0.03", STABILITY_PRICES),
    "stable-image-ultra": ("0.08", STABILITY_PRICES),
    "sd-3.5-large-turbo": ("0.04", STABILITY_PRICES),
    "sd-3.5-medium": ("0.035", STABILITY_PRICES),
}

# By quality, at any size.
BY_QUALITY: Mapping[str, tuple[Mapping[str, str], str]] = {
    "ideogram-v3": ({"low": "0.03", "medium": "0.06", "high": "0.09"}, IDEOGRAM_PRICES),
    "grok-imagine-image-2.0": ({"low": "0.04", "medium": "0.06", "high": "0.08"}, XAI_PRICES),
}

# For up to one, two and four megapixels of 1024 x 1024 pixels.
FLUX_2: Mapping[str, tuple[str, str, str]] = {
    "flux-2-pro": ("0.03", "0.045", "0.075"),
    "flux-2-max": ("0.07", "0.10", "0.16"),
    "flux-2-flex": ("0.05", "0.10", "0.20"),
    "flux-2-klein-4b": ("0.014", "0.015", "0.017"),
    "flux-2-klein-9b": ("0.015", "0.017", "0.021"),
}

# Rows of size, quality and USD.
DALL_E: Mapping[str, tuple[tuple[str, str | None, str], ...]] = {
    "dall-e-3": (
        ("1024x1024", "standard", "0.04"),
        ("1792x1024", "standard", "0.08"),
        ("1024x1792", "standard", "0.08"),
        ("1024x1024", "hd", "0.08"),
        ("1792x1024", "hd", "0.12"),
        ("1024x1792", "hd", "0.12"),
    ),
    "dall-e-2": (
        ("256x256", None, "0.016"),
        ("512x512", None, "0.018"),
        ("1024x1024", None, "0.02"),
    ),
}

# By quality: the square, a wide image, and each further megapixel where sizes are free.
GPT_2 = {
    "low": ("0.006", "0.005", "0.002"),
    "medium": ("0.053", "0.041", "0.0174"),
    "high": ("0.211", "0.165", "0.0693"),
}
GPT_2_5 = {
    "low": ("0.00588", "0.00474", "0.002"),
    "medium": ("0.01317", "0.01029", "0.0044"),
    "high": ("0.05268", "0.04116", "0.0174"),
    "xhigh": ("0.09366", "0.07377", "0.0309"),
    "max": ("0.21072", "0.16464", "0.0693"),
}
GPT_IMAGE: Mapping[str, Mapping[str, tuple[str, str, str | None]]] = {
    "gpt-image-1-mini": {
        "low": ("0.005", "0.006", None),
        "medium": ("0.011", "0.015", None),
        "high": ("0.036", "0.052", None),
    },
    "gpt-image-1.5": {
        "low": ("0.009", "0.013", None),
        "medium": ("0.034", "0.05", None),
        "high": ("0.133", "0.20", None),
    },
    "gpt-image-2": GPT_2,
    "gpt-image-2-2026-04-21": GPT_2,
    "gpt-image-2.5-flare": GPT_2_5,
    "gpt-image-2.5-sunburst": GPT_2_5,
}


@cache
def list_prices() -> tuple[ListPrice, ...]:
    """Return every list price of the catalog."""
    return tuple(
        replace(row, input_amount=Decimal(INPUT[row.key]), source=f"{row.source}, with inputs")
        if row.key in INPUT
        else row
        for row in _image_prices()
    )


def _image_prices() -> list[ListPrice]:
    rows = [
        ListPrice(key, None, None, Decimal(usd), "image", source)
        for key, (usd, source) in FLAT.items()
    ]
    for key, (levels, source) in BY_QUALITY.items():
        rows += [
            ListPrice(key, None, quality, Decimal(usd), "image", source)
            for quality, usd in levels.items()
        ]
    for key, (first, second, fourth) in FLUX_2.items():
        sizes = ((None, first), ("1536x1024", second), ("1024x1536", second), ("2048x2048", fourth))
        rows += [
            ListPrice(key, size, None, Decimal(usd), "image", BFL_PRICES) for size, usd in sizes
        ]
    for key, cells in DALL_E.items():
        rows += [
            ListPrice(key, size, quality, Decimal(usd), "image", OPENAI_PRICES)
            for size, quality, usd in cells
        ]
    for key, qualities in GPT_IMAGE.items():
        for quality, (square, wide, megapixel) in qualities.items():
            shapes = (("1024x1024", square), ("1536x1024", wide), ("1024x1536", wide))
            rows += [
                ListPrice(key, size, quality, Decimal(usd), "image", OPENAI_PRICES)
                for size, usd in shapes
            ]
            if megapixel is not None:
                rows.append(
                    ListPrice(
                        key,
                        None,
                        quality,
                        Decimal(megapixel),
                        "megapixel",
                        OPENAI_PRICES,
                        base_amount=Decimal(square),
                        base_pixels=BASE_SIZE.pixels,
                    )
                )
    return rows


def prices_of(key: str) -> tuple[ListPrice, ...]:
    """Return the list prices of one model."""
    return tuple(row for row in list_prices() if row.key == key)


def price_of(rows: Iterable[PriceRow], size: Size, quality: str | None) -> Decimal | None:
    """Return the price of one image, in the rows' currency; None if no row prices it.

    Args:
        rows: The prices of one model, in one currency.
        size: The pixels to deliver.
        quality: The resolved public quality, None if the model has no levels.
    """
    row = row_of(rows, size, quality)
    if row is not None and row.unit == "megapixel":
        further = max(0, size.pixels - row.base_pixels)
        return row.base_amount + row.amount * further / MILLION
    return None if row is None else row.amount


def input_price_of(rows: Iterable[PriceRow], size: Size, quality: str | None) -> Decimal:
    """Return the price of one image sent along; the arguments are those of `price_of`."""
    row = row_of(rows, size, quality)
    return Decimal(0) if row is None else row.input_amount


def row_of(rows: Iterable[Row], size: Size, quality: str | None) -> Row | None:
    """Return the row that prices an image, the most exact one; the arguments are `price_of`'s."""
    cells = {(row.size or None, row.quality or None): row for row in rows}
    keys = ((str(size), quality), (str(size), None), (None, quality), (None, None))
    return next((cells[key] for key in keys if key in cells), None)
