"""Pixel sizes: what a model offers its callers, and what a route can ask of its upstream."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Literal, Protocol, Self

_SIZE = re.compile(r"([1-9][0-9]{1,4})x([1-9][0-9]{1,4})", re.ASCII)


@dataclass(frozen=True, slots=True, order=True)
class Size:
    """Width and height in pixels."""

    width: int
    height: int

    @classmethod
    def parse(cls, text: str) -> Self | None:
        """Read `WIDTHxHEIGHT` (two to five digits each); None if it is anything else."""
        match = _SIZE.fullmatch(text)
        return cls(int(match[1]), int(match[2])) if match else None

    @property
    def pixels(self) -> int:
        """The area."""
        return self.width * self.height

    def covers(self, other: Size) -> bool:
        """Whether `other` can be cut out of this size, or scaled down from it, never up."""
        return self.width >= other.width and self.height >= other.height

    def __str__(self) -> str:
        return f"{self.width}x{self.height}"


def size(text: str) -> Size:
    """Read a size that is known to be well-formed.

    Raises:
        ValueError: If it is not.
    """
    parsed = Size.parse(text)
    if parsed is None:
        raise ValueError(f"not a size: {text!r}")
    return parsed


def nearest_shape(sizes: Iterable[Size], wanted: Size, usual: Size) -> Size:
    """Return the size whose shape is nearest to the wanted one's, at about the usual area.

    Args:
        sizes: To choose from; those with more than twice the usual area are left out.
        wanted: Only its shape counts.
        usual: Stands in where all are left out.
    """

    def difference(candidate: Size) -> tuple[float, int]:
        shapes = candidate.width / candidate.height, wanted.width / wanted.height
        # Rounded, so that sizes of practically one shape are told apart by their area.
        return round(abs(math.log(shapes[0] / shapes[1])), 1), abs(candidate.pixels - usual.pixels)

    fitting = [candidate for candidate in sizes if candidate.pixels <= 2 * usual.pixels]
    return min(fitting, key=difference, default=usual)


class SizeRule(Protocol):
    """The sizes a caller may ask of a model."""

    @property
    def listed(self) -> tuple[Size, ...]:
        """The sizes to show and to check; all of them if the list is closed."""

    @property
    def closed(self) -> bool:
        """Whether `listed` is all there is."""

    def allows(self, wanted: Size) -> bool:
        """Whether the model offers this size."""


@dataclass(frozen=True, slots=True)
class ListedSizes:
    """A closed list of sizes."""

    listed: tuple[Size, ...]
    closed: bool = True

    @classmethod
    def of(cls, *texts: str) -> Self:
        """Build the list from `WIDTHxHEIGHT` strings."""
        return cls(tuple(size(text) for text in texts))

    def allows(self, wanted: Size) -> bool:
        """Whether the size is in the list."""
        return wanted in self.listed


@dataclass(frozen=True, slots=True)
class FreeSizes:
    """Any size within limits of step, area, edge and aspect ratio."""

    multiple: int
    min_pixels: int
    max_pixels: int
    max_edge: int
    max_ratio: int
    listed: tuple[Size, ...]
    closed: bool = False

    def allows(self, wanted: Size) -> bool:
        """Whether the size keeps all limits."""
        short, long = sorted((wanted.width, wanted.height))
        return (
            wanted.width % self.multiple == 0
            and wanted.height % self.multiple == 0
            and self.min_pixels <= wanted.pixels <= self.max_pixels
            and long <= self.max_edge
            and long <= short * self.max_ratio
        )


@dataclass(frozen=True, slots=True)
class Ask:
    """One size to ask of an upstream.

    Attributes:
        size: The pixels that the upstream will send for it.
        fields: Ready-made body fields that ask for it.
    """

    size: Size
    fields: Mapping[str, object]


class Sizing(Protocol):
    """How a route asks its upstream for a size."""

    def ask(self, target: Size) -> Ask | None:
        """What to ask so that the answer is, or covers, `target`; None if out of reach."""


@dataclass(frozen=True, slots=True)
class Menu:
    """An upstream with a list of sizes or aspect ratios, or with one fixed size."""

    options: tuple[Ask, ...]

    def ask(self, target: Size) -> Ask | None:
        """Choose the exact size, else the nearest shape that covers, then the smallest."""
        covering = [option for option in self.options if option.size.covers(target)]
        return min(covering, key=lambda option: _misfit(option.size, target), default=None)


Encoding = Literal["size", "image_size", "width_height"]


@dataclass(frozen=True, slots=True)
class Grid:
    """An upstream that draws any size on a grid of pixels.

    Attributes:
        multiple: Both edges are multiples of it.
        encode: `size` sends "WxH", `image_size` an object, `width_height` two fields.
    """

    multiple: int
    min_edge: int
    max_edge: int
    max_pixels: int
    encode: Encoding
    min_pixels: int = 0
    max_ratio: int | None = None

    def ask(self, target: Size) -> Ask | None:
        """Round the target up to the grid, enlarging it in its own shape up to the least area."""
        scale = max(
            1.0,
            math.sqrt(self.min_pixels / target.pixels),
            self.min_edge / min(target.width, target.height),
        )
        asked = Size(self._up(target.width * scale), self._up(target.height * scale))
        return Ask(asked, encode_size(asked, self.encode)) if self._allows(asked) else None

    def _up(self, edge: float) -> int:
        return math.ceil(edge / self.multiple) * self.multiple

    def _allows(self, asked: Size) -> bool:
        short, long = sorted((asked.width, asked.height))
        return (
            long <= self.max_edge
            and asked.pixels <= self.max_pixels
            and (self.max_ratio is None or long <= short * self.max_ratio)
        )


def named_sizes(*texts: str) -> Menu:
    """Build the sizing of an upstream that takes `size` from a list."""
    return Menu(tuple(Ask(size(text), {"size": text}) for text in texts))


def ratios(field: str, pixels: Mapping[str, str], **fixed: object) -> Menu:
    """Build the sizing of an upstream that takes an aspect ratio.

    Args:
        field: The body field that takes the ratio.
        pixels: The pixels the upstream sends for each ratio.
        fixed: Further fields to send beside every ratio.
    """
    return Menu(tuple(Ask(size(text), {field: ratio, **fixed}) for ratio, text in pixels.items()))


def encode_size(asked: Size, encoding: Encoding) -> Mapping[str, object]:
    """Return the body fields that ask for a size."""
    if encoding == "size":
        return {"size": str(asked)}
    edges = {"width": asked.width, "height": asked.height}
    return {"image_size": edges} if encoding == "image_size" else edges


def _misfit(offered: Size, target: Size) -> tuple[float, int]:
    shape = math.log(offered.width * target.height / (offered.height * target.width))
    return (round(abs(shape), 6), offered.pixels)
