"""What becomes of images sent along: the picture of an edit shows them.

Pixels that a mask protects stay as they are. Without a mask the first image shows through the whole
picture; the others are small copies in a row at the top.
"""

import io
from dataclasses import dataclass
from typing import Final

from PIL import Image

_SHARE_OF_NEW: Final = 0.35
_COPIES_A_ROW: Final = 6


@dataclass(frozen=True, slots=True)
class Facts:
    """What a file is, as an API that takes images looks at it."""

    format: str
    width: int
    height: int
    has_alpha: bool


def facts_of(data: bytes) -> Facts | None:
    """Decode a file; None if it is no whole png, jpeg or webp image."""
    try:
        with Image.open(io.BytesIO(data), formats=("PNG", "JPEG", "WEBP")) as image:
            image.load()
            alpha = image.has_transparency_data
            return Facts((image.format or "").lower(), *image.size, alpha)
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError):
        return None


def retouch(drawn: Image.Image, inputs: tuple[bytes, ...], mask: bytes) -> Image.Image:
    """Return the first input, edited by what was drawn.

    Args:
        drawn: In the size of the result.
        inputs: At least one image.
        mask: Transparent where the first input is to be drawn anew; b"" shows it everywhere.
    """
    base = _opened(inputs[0], drawn.size)
    new = drawn.convert("RGBA")
    if not mask:
        new = Image.blend(base, new, _SHARE_OF_NEW)
    for index, data in enumerate(inputs[1 : 1 + _COPIES_A_ROW]):
        new.paste(_copy(data, drawn.size), (index * (drawn.width // _COPIES_A_ROW), 0))
    if not mask:
        return new
    protected = _opened(mask, drawn.size).getchannel("A").point([0] + [255] * 255)
    return Image.composite(base, new, protected)


def _opened(data: bytes, size: tuple[int, int]) -> Image.Image:
    with Image.open(io.BytesIO(data)) as image:
        whole = image.convert("RGBA")
    return whole if whole.size == size else whole.resize(size, Image.Resampling.NEAREST)


def _copy(data: bytes, size: tuple[int, int]) -> Image.Image:
    side = max(1, min(size[0] // _COPIES_A_ROW, size[1]))
    return _opened(data, (side, side))
