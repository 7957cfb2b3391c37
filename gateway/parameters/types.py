"""A checked generation request."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from typing import Literal

from gateway.catalog.sizes import Size
from gateway.catalog.types import Model
from gateway.types import Operation

ResponseFormat = Literal["url", "b64_json", "both"]


@dataclass(frozen=True, slots=True)
class InputFile:
    """A checked image that a caller sent along; its bytes are in the private bucket.

    Attributes:
        content_type: `image/png`, `image/jpeg` or `image/webp`, by its content.
        sha256: Lower-case hex digest.
        size_bytes: Of the file.
    """

    content_type: str
    sha256: str
    size_bytes: int
    width: int
    height: int


@dataclass(frozen=True, slots=True)
class GenerationRequest:
    """A request whose every value is valid for its model, with nothing left to resolve.

    Attributes:
        requested_model: The id as sent, to echo; the default's id if none was sent.
        size: The pixels to deliver.
        quality: One of the model's own; None if it has no levels.
        response_format: `both` answers `b64_json` and `url` together.
        output_format: `png`, `jpeg`, `webp`, or None for whatever the upstream sends.
        background: `opaque` or `transparent`; None if the model has no backgrounds.
        moderation: `auto` or `low`; None if the model has no such setting.
        max_cost: The most the whole request may cost, in the wallet's currency.
        stream: Whether the answer is a stream of events.
        partial_images: Partial images wanted on the way, 0 to 3; 0 without `stream`.
        quote_id: The quote whose price holds, as sent; not stored.
        dropped: Names of the parameters ignored so far, at most 20.
        inputs: The images to edit or to vary, in the caller's order; none for a generation.
        mask: Transparent where the first of them is to be edited, and of its size.
        input_fidelity: `low` or `high`; None if not asked for, or unknown to the model.
    """

    model: Model
    requested_model: str
    prompt: str
    n: int
    size: Size
    quality: str | None
    style: str | None
    response_format: ResponseFormat
    output_format: str | None
    output_compression: int
    background: str | None
    moderation: str | None
    seed: int | None
    user: str | None
    max_cost: Decimal | None
    dropped: tuple[str, ...]
    quote_id: str | None = None
    stream: bool = False
    partial_images: int = 0
    operation: Operation = Operation.GENERATION
    inputs: tuple[InputFile, ...] = ()
    mask: InputFile | None = None
    input_fidelity: str | None = None

    @property
    def files(self) -> tuple[InputFile, ...]:
        """Return all files sent along, the mask last; as many input images are paid for."""
        return self.inputs if self.mask is None else (*self.inputs, self.mask)

    @property
    def width(self) -> int:
        """Pixels to deliver."""
        return self.size.width

    @property
    def height(self) -> int:
        """Pixels to deliver."""
        return self.size.height
