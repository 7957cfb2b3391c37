"""Checks of images that are sent along to be edited."""

from dataclasses import dataclass
from typing import BinaryIO, Final

from gateway.errors import InvalidRequestError
from gateway.images import ImageInfo, ImageRejected, Rejection, inspect_image
from gateway.parameters.types import InputFile

# OpenAI's own limits (API reference, read 2026-11-21).
MAX_INPUTS: Final = 16
MAX_INPUT_BYTES: Final = 50_000_000
MAX_MASK_BYTES: Final = 4_000_000
_PLAIN: Final = {
    Rejection.NOT_AN_IMAGE: "is not a PNG, JPEG or WebP image",
    Rejection.UNSUPPORTED: "is an image of a kind that is not supported",
    Rejection.TRUNCATED: "is an image that was cut off",
    Rejection.CORRUPT: "is a broken image",
    Rejection.TRAILING_DATA: "has other data behind the image",
    Rejection.ANIMATED: "is animated; send a still image",
    Rejection.TOO_LARGE: "is too large",
    Rejection.TOO_MANY_PIXELS: "has too many pixels",
    Rejection.TOO_SMALL: "is too small",
}


@dataclass(frozen=True, slots=True)
class SentFile:
    """A file of a form, kept on disk until the request has been accepted.

    Attributes:
        name: Of its field: `image`, `image[]` or `mask`.
        sha256: Lower-case hex digest.
        size_bytes: At most what the form was read with.
    """

    name: str
    file: BinaryIO
    sha256: str
    size_bytes: int

    @property
    def param(self) -> str:
        """Return what errors call the field by."""
        return self.name.removesuffix("[]")


def check_input(sent: SentFile, *, max_pixels: int) -> InputFile:
    """Return what an image to edit is.

    Reads it whole, one at a time, for as long as it takes to look at its structure.

    Raises:
        InvalidRequestError: Not a whole, still PNG, JPEG or WebP within the limits; `param` names
            the field.
    """
    return _described(sent, _inspected(sent, max_bytes=MAX_INPUT_BYTES, max_pixels=max_pixels))


def check_mask(sent: SentFile, *, first: InputFile, max_pixels: int) -> InputFile:
    """Return what a mask is.

    Raises:
        InvalidRequestError: As `check_input`; or it is no PNG with transparency, or not of the size
            of the first image.
    """
    info = _inspected(sent, max_bytes=MAX_MASK_BYTES, max_pixels=max_pixels)
    if info.format != "png" or not info.has_alpha:
        raise InvalidRequestError(
            "`mask` must be a PNG with an alpha channel, transparent where the image is edited.",
            param=sent.param,
        )
    if (info.width, info.height) != (first.width, first.height):
        raise InvalidRequestError(
            f"`mask` has {info.width}x{info.height} pixels, the first image"
            f" {first.width}x{first.height}; both must be the same.",
            param=sent.param,
        )
    return _described(sent, info)


def _inspected(sent: SentFile, *, max_bytes: int, max_pixels: int) -> ImageInfo:
    if sent.size_bytes > max_bytes:
        raise InvalidRequestError(
            f"`{sent.param}` has {sent.size_bytes} bytes; the limit is {max_bytes}.",
            param=sent.param,
        )
    sent.file.seek(0)
    try:
        return inspect_image(sent.file.read(), max_bytes=max_bytes, max_pixels=max_pixels)
    except ImageRejected as error:
        raise InvalidRequestError(
            f"A file of `{sent.param}` {_PLAIN[error.reason]}.", param=sent.param
        ) from error


def _described(sent: SentFile, info: ImageInfo) -> InputFile:
    return InputFile(
        content_type=info.content_type,
        sha256=sent.sha256,
        size_bytes=sent.size_bytes,
        width=info.width,
        height=info.height,
    )
