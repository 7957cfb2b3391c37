"""What an upstream charges us for an image, in USD.

Worst cases decide whether a route may serve a model at its price; what was really charged is
computed from what the upstream reports. Each figure has a key, under which the price book keeps its
versions.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from decimal import ROUND_CEILING, Decimal
from typing import Final, Literal, Protocol, Self

from gateway.catalog.sizes import Size

MILLION = Decimal(1_000_000)
# fal and Black Forest Labs count a megapixel as 1024 x 1024 pixels.
BINARY_MEGAPIXEL = Decimal(1024 * 1024)
CREDITS_PER_USD = 100
# Prompts in the densest common scripts (Chinese, Japanese) come to about one token a character.
PROMPT_TOKENS_PER_CHARACTER = 1
# Above any call's: no model takes a tenth of it.
TOKENS_MAX = 10_000_000
_KINDS = ("text_tokens", "image_tokens")

Billed = Literal["images", "dollars", "other"]
Unit = Literal[
    "image",
    "megapixel",
    "input_image",
    "text_in_1m",
    "image_in_1m",
    "cached_text_in_1m",
    "cached_image_in_1m",
    "text_out_1m",
    "image_out_1m",
]


@dataclass(frozen=True, slots=True, order=True)
class CostKey:
    """What one figure of a route's cost is the price of.

    Attributes:
        unit: An image made, a megapixel of it, an image sent along, or a million tokens of a kind.
        size: `WIDTHxHEIGHT` of the upstream; empty is any.
        quality: The upstream's word; empty is any.
    """

    unit: Unit
    size: str = ""
    quality: str = ""


Costs = Mapping[CostKey, Decimal]
PER_IMAGE = CostKey("image")
PER_MEGAPIXEL = CostKey("megapixel")
PER_INPUT_IMAGE = CostKey("input_image")
PER_IMAGE_OUT = CostKey("image_out_1m")


class ImageCost(Protocol):
    """The price an upstream puts on one image, without its prompt."""

    def usd(self, asked: Size, quality: str | None) -> Decimal | None:
        """Return the cost of one image of this upstream size and quality; None if unknown."""

    def usd_of_units(self, units: Decimal) -> Decimal | None:
        """Return the cost of the billed quantity that the upstream reports, if it is priced so."""

    def costs(self) -> dict[CostKey, Decimal]:
        """Return its figures."""

    def at(self, costs: Costs) -> Self:
        """Return it with other figures; those that are not given stay."""


@dataclass(frozen=True, slots=True)
class PerImage:
    """A fixed price per image.

    Attributes:
        cells: Prices by (size, quality); a None in a key stands for any.
        bills: What the upstream counts where it reports what it bills; of anything else, such as
            seconds of computing, the price is not known.
    """

    cells: Mapping[tuple[Size | None, str | None], Decimal]
    bills: Billed = "images"

    def usd(self, asked: Size, quality: str | None) -> Decimal | None:
        """Look up the most exact cell."""
        for key in ((asked, quality), (asked, None), (None, quality), (None, None)):
            if key in self.cells:
                return self.cells[key]
        return None

    def usd_of_units(self, units: Decimal) -> Decimal | None:
        """Multiply, if every image costs the same; dollars are what they are."""
        if self.bills == "dollars":
            return units
        flat = self.cells.get((None, None)) if self.bills == "images" else None
        return None if flat is None else flat * units

    def costs(self) -> dict[CostKey, Decimal]:
        """Return the price of each cell."""
        return {_cell_key(*cell): usd for cell, usd in self.cells.items()}

    def at(self, costs: Costs) -> Self:
        """Return the same cells at other prices."""
        cells = {cell: costs.get(_cell_key(*cell), usd) for cell, usd in self.cells.items()}
        return replace(self, cells=cells)


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

    def costs(self) -> dict[CostKey, Decimal]:
        """Return the rate."""
        return {PER_MEGAPIXEL: self.usd_per_megapixel}

    def at(self, costs: Costs) -> Self:
        """Return it at another rate."""
        return replace(self, usd_per_megapixel=costs.get(PER_MEGAPIXEL, self.usd_per_megapixel))


@dataclass(frozen=True, slots=True)
class InCredits:
    """A price that the upstream reports in credits of a cent.

    Attributes:
        first: USD for an image of at most 1024 x 1024 pixels.
        further: USD for each megapixel begun beyond them.
    """

    first: Decimal
    further: Decimal = Decimal(0)

    def usd(self, asked: Size, quality: str | None) -> Decimal | None:
        """Add the further megapixels to the first."""
        megapixels = Decimal(asked.pixels) / BINARY_MEGAPIXEL
        begun = megapixels.to_integral_value(rounding=ROUND_CEILING)
        return self.first + (begun - 1) * self.further

    def usd_of_units(self, units: Decimal) -> Decimal | None:
        """Turn the credits into dollars."""
        return units / CREDITS_PER_USD

    def costs(self) -> dict[CostKey, Decimal]:
        """Return the price of an image of a megapixel, and of each further one."""
        return {PER_IMAGE: self.first, PER_MEGAPIXEL: self.further}

    def at(self, costs: Costs) -> Self:
        """Return it at other prices."""
        return replace(
            self,
            first=costs.get(PER_IMAGE, self.first),
            further=costs.get(PER_MEGAPIXEL, self.further),
        )


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

    def costs(self) -> dict[CostKey, Decimal]:
        """Return the price of a million output tokens."""
        return {PER_IMAGE_OUT: self.usd_per_million}

    def at(self, costs: Costs) -> Self:
        """Return it at another price of tokens."""
        return replace(self, usd_per_million=costs.get(PER_IMAGE_OUT, self.usd_per_million))


@dataclass(frozen=True, slots=True)
class TokenCounts:
    """The tokens of one call by kind; the cached ones are part of the input."""

    text_in: int
    image_in: int
    cached_text_in: int
    cached_image_in: int
    text_out: int
    image_out: int

    @classmethod
    def read(cls, usage: Mapping[str, object]) -> Self:
        """Read a usage block of OpenAI's shape.

        Without details all input is text and all output image; cached input that is not split is
        taken for text, which saves less.

        Raises:
            ValueError: A count is missing or is not one, details do not add up, or nothing was put
                out, as servers say that do not count.
        """
        total_in, total_out = _count(usage.get("input_tokens")), _count(usage.get("output_tokens"))
        if not total_out:
            raise ValueError("no output tokens")
        details = _details(usage.get("input_tokens_details"))
        text_in, image_in = _split(total_in, details, rest="text_tokens")
        text_out, image_out = _split(
            total_out, _details(usage.get("output_tokens_details")), rest="image_tokens"
        )
        cached = _count(details.get("cached_tokens") or 0)
        kinds = _details(details.get("cached_tokens_details"))
        cached_text, cached_image = (
            _split(cached, kinds, rest="text_tokens")
            if kinds
            else (min(cached, text_in), max(0, cached - text_in))
        )
        if cached_text > text_in or cached_image > image_in:
            raise ValueError("more is cached than was put in")
        return cls(text_in, image_in, cached_text, cached_image, text_out, image_out)


def _count(value: object) -> int:
    # bool is an int, too.
    if isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= TOKENS_MAX:
        return value
    raise ValueError("not a count of tokens")


def _details(value: object) -> Mapping[str, object]:
    if value is None:
        return {}
    if isinstance(value, Mapping):
        return value
    raise ValueError("not an object")


def _split(total: int, details: Mapping[str, object], *, rest: str) -> tuple[int, int]:
    """Return the text and the image tokens of a total; what no detail names is of kind `rest`."""
    counts = {kind: _count(details[kind]) for kind in _KINDS if details.get(kind) is not None}
    if len(counts) < len(_KINDS):
        missing = next(kind for kind in (rest, *_KINDS) if kind not in counts)
        counts[missing] = total - sum(counts.values())
    text, image = counts.get("text_tokens", 0), counts.get("image_tokens", 0)
    if text + image != total or min(text, image) < 0:
        raise ValueError("the details do not add up")
    return text, image


@dataclass(frozen=True, slots=True)
class TokenRates:
    """USD per million tokens by kind, for upstreams that report usage.

    Attributes:
        text_out: Of text put out beside the image, thoughts included; None prices it as the image.
        image_in: Of images sent along; None prices it as text.
        cached_text_in: Of text that the upstream had in its cache; None gives no discount.
        cached_image_in: As `cached_text_in`, of images.
    """

    text_in: Decimal
    image_out: Decimal
    text_out: Decimal | None = None
    image_in: Decimal | None = None
    cached_text_in: Decimal | None = None
    cached_image_in: Decimal | None = None

    @property
    def input_image(self) -> Decimal:
        """Return the rate of images sent along."""
        return _or(self.image_in, self.text_in)

    def costs(self) -> dict[CostKey, Decimal]:
        """Return the price of a million tokens of each kind that has one."""
        rates = {key: getattr(self, name) for name, key in _TOKEN_KEYS.items()}
        return {key: rate for key, rate in rates.items() if rate is not None}

    def at(self, costs: Costs) -> Self:
        """Return it at other prices."""
        given = {name: costs[key] for name, key in _TOKEN_KEYS.items() if key in costs}
        return replace(self, **given)

    def prompt_usd(self, characters: int) -> Decimal:
        """Return the worst cost of a prompt of this many code points."""
        return characters * PROMPT_TOKENS_PER_CHARACTER * self.text_in / MILLION

    def usage_usd(self, usage: Mapping[str, object]) -> Decimal | None:
        """Price a usage block of OpenAI's shape; None if its counts are missing or wrong."""
        try:
            counts = TokenCounts.read(usage)
        except ValueError:
            return None
        image_in = self.input_image
        return (
            (counts.text_in - counts.cached_text_in) * self.text_in
            + counts.cached_text_in * _or(self.cached_text_in, self.text_in)
            + (counts.image_in - counts.cached_image_in) * image_in
            + counts.cached_image_in * _or(self.cached_image_in, image_in)
            + counts.text_out * _or(self.text_out, self.image_out)
            + counts.image_out * self.image_out
        ) / MILLION


_TOKEN_KEYS: Final[Mapping[str, CostKey]] = {
    "text_in": CostKey("text_in_1m"),
    "image_in": CostKey("image_in_1m"),
    "cached_text_in": CostKey("cached_text_in_1m"),
    "cached_image_in": CostKey("cached_image_in_1m"),
    "text_out": CostKey("text_out_1m"),
    "image_out": PER_IMAGE_OUT,
}


def _cell_key(size: Size | None, quality: str | None) -> CostKey:
    return CostKey("image", str(size or ""), quality or "")


def _or(rate: Decimal | None, other: Decimal) -> Decimal:
    return other if rate is None else rate


def token_rates(**usd: str) -> TokenRates:
    """Price tokens, USD per million by the names of `TokenRates`."""
    return TokenRates(**{kind: Decimal(price) for kind, price in usd.items()})


def flat(usd: str, *, bills: Billed = "images") -> PerImage:
    """Price every image the same."""
    return PerImage({(None, None): Decimal(usd)}, bills)


def by_quality(usd: Mapping[str, str]) -> PerImage:
    """Price every image by its upstream quality, whatever the size."""
    return PerImage({(None, quality): Decimal(price) for quality, price in usd.items()})
