"""What an upstream charges us for an image, in USD.

Worst cases decide whether a route may serve a model at its price; what was really charged is
computed from what the upstream reports.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import ROUND_CEILING, Decimal
from typing import Protocol

from gateway.catalog.sizes import Size

MILLION = Decimal(1_000_000)
# fal and Black Forest Labs count a megapixel as 1024 x 1024 pixels.
BINARY_MEGAPIXEL = Decimal(1024 * 1024)
# Prompts in the densest common scripts (Chinese, Japanese) come to about one token a character.
PROMPT_TOKENS_PER_CHARACTER = 1


class ImageCost(Protocol):
    """The price an upstream puts on one image, without its prompt."""

    def usd(self, asked: Size, quality: str | None) -> Decimal | None:
        """Return the cost of one image of this upstream size and quality; None if unknown."""

    def usd_of_units(self, units: Decimal) -> Decimal | None:
        """Return the cost of the billed quantity that the upstream reports, if it is priced so."""


@dataclass(frozen=True, slots=True)
class PerImage:
    """A fixed price per image.

    Attributes:
        cells: Prices by (size, quality); a None in a key stands for any.
        billed_in_usd: Whether the upstream reports dollars; else the images it bills.
    """

    cells: Mapping[tuple[Size | None, str | None], Decimal]
    billed_in_usd: bool = False

    def usd(self, asked: Size, quality: str | None) -> Decimal | None:
        """Look up the most exact cell."""
        for key in ((asked, quality), (asked, None), (None, quality), (None, None)):
            if key in self.cells:
                return self.cells[key]
        return None

    def usd_of_units(self, units: Decimal) -> Decimal | None:
        """Multiply, if every image costs the same; dollars are what they are."""
        if self.billed_in_usd:
            return units
        flat = self.cells.get((None, None))
        return None if flat is None else flat * units


@dataclass(frozen=True, slots=True)
class PerMegapixel:
    """A price per megapixel of 1024 x 1024 pixels.

    Attributes:
        whole: Whether the upstream rounds an image up to whole megapixels.
    """

    usd_per_megapixel: Decimal
    whole: bool

    def usd(self, asked: Size, quality: str | None) -> Decimal | None:
        """Multiply the area with the rate."""
        megapixels = Decimal(asked.pixels) / BINARY_MEGAPIXEL
        if self.whole:
            megapixels = megapixels.to_integral_value(rounding=ROUND_CEILING)
        return megapixels * self.usd_per_megapixel

    def usd_of_units(self, units: Decimal) -> Decimal | None:
        """Multiply the billed megapixels with the rate."""
        return units * self.usd_per_megapixel


@dataclass(frozen=True, slots=True)
class PerOutputToken:
    """The output tokens of gpt-image-2 and later.

    The formula reproduces OpenAI's published calculator (read 2026-11-21).

    Attributes:
        grids: The edge of the token grid by upstream quality.
    """

    grids: Mapping[str, int]
    usd_per_million: Decimal

    def tokens(self, asked: Size, quality: str) -> int:
        """Count the output tokens of one image."""
        grid = self.grids[quality]
        short, long = sorted((asked.width, asked.height))
        narrow = (2 * grid * short + long) // (2 * long)
        return -(-grid * narrow * (2_000_000 + asked.pixels) // 4_000_000)

    def usd(self, asked: Size, quality: str | None) -> Decimal | None:
        """Price the tokens; None for a quality the upstream does not have."""
        if quality is None or quality not in self.grids:
            return None
        return self.tokens(asked, quality) * self.usd_per_million / MILLION

    def usd_of_units(self, units: Decimal) -> Decimal | None:
        """Return nothing: billed in tokens, reported as usage."""
        return None


@dataclass(frozen=True, slots=True)
class TokenRates:
    """USD per million tokens, for upstreams that report usage.

    Attributes:
        text_out: Of text put out beside the image, thoughts included; None prices it as the image.
    """

    text_in: Decimal
    image_out: Decimal
    text_out: Decimal | None = None

    def prompt_usd(self, characters: int) -> Decimal:
        """Return the worst cost of a prompt of this many code points."""
        return characters * PROMPT_TOKENS_PER_CHARACTER * self.text_in / MILLION

    def usage_usd(self, usage: Mapping[str, object]) -> Decimal | None:
        """Price a usage block of OpenAI's shape; None if it has no token counts."""
        spent = usage.get("input_tokens"), usage.get("output_tokens")
        match spent:
            case (int(text), int(out)) if text >= 0 and out >= 0:
                cost = text * self.text_in + out * self.image_out
                if self.text_out is not None:
                    cost -= _text_put_out(usage, out) * (self.image_out - self.text_out)
                return cost / MILLION
            case _:
                return None


def _text_put_out(usage: Mapping[str, object], most: int) -> int:
    details = usage.get("output_tokens_details")
    count = details.get("text_tokens") if isinstance(details, dict) else None
    return min(count, most) if isinstance(count, int) and count > 0 else 0


def flat(usd: str) -> PerImage:
    """Price every image the same."""
    return PerImage({(None, None): Decimal(usd)})
