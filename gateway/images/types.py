"""What is known about a picture, and why one is refused."""

from dataclasses import dataclass
from enum import StrEnum
from types import MappingProxyType
from typing import Literal

ImageFormat = Literal["png", "jpeg", "webp"]

CONTENT_TYPES = MappingProxyType({"png": "image/png", "jpeg": "image/jpeg", "webp": "image/webp"})
EXTENSIONS = MappingProxyType({"png": "png", "jpeg": "jpg", "webp": "webp"})


class Rejection(StrEnum):
    """Stable words for why bytes are not an image that may be delivered."""

    NOT_AN_IMAGE = "not_an_image"
    UNSUPPORTED = "unsupported"
    TRUNCATED = "truncated"
    CORRUPT = "corrupt"
    TRAILING_DATA = "trailing_data"
    ANIMATED = "animated"
    TOO_LARGE = "too_large"
    TOO_MANY_PIXELS = "too_many_pixels"
    TOO_SMALL = "too_small"


class ImageRejected(Exception):  # noqa: N818 - named for what happened to the image
    """The bytes are not an image that may be stored, delivered or billed.

    Attributes:
        reason: Stable word for logs, metrics and branching.
        detail: What exactly is wrong, in English; holds no data of the image.
    """

    def __init__(self, reason: Rejection, detail: str = "") -> None:
        super().__init__(f"{reason}: {detail}" if detail else str(reason))
        self.reason = reason
        self.detail = detail


@dataclass(frozen=True, slots=True, kw_only=True)
class ImageInfo:
    """What the container says about an image.

    Attributes:
        width: Pixels as stored, before any EXIF orientation is applied.
        height: Pixels as stored, before any EXIF orientation is applied.
        has_alpha: The format of the pixels has transparency, used or not.
        has_exif: An EXIF block is present, which may ask for a rotation.
    """

    format: ImageFormat
    width: int
    height: int
    has_alpha: bool
    has_exif: bool = False

    @property
    def content_type(self) -> str:
        """Return the media type, e.g. `image/jpeg`."""
        return CONTENT_TYPES[self.format]

    @property
    def extension(self) -> str:
        """Return the file name's ending without a dot; JPEG is `jpg`."""
        return EXTENSIONS[self.format]
