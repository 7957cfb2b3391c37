"""Whether bytes are a whole image that may be delivered, without decoding the pixels."""

from gateway.images.jpeg import SIGNATURE as JPEG_SIGNATURE
from gateway.images.jpeg import inspect_jpeg
from gateway.images.png import SIGNATURE as PNG_SIGNATURE
from gateway.images.png import inspect_png
from gateway.images.types import ImageInfo, ImageRejected, Rejection
from gateway.images.webp import RIFF, WEBP, inspect_webp

# Some encoders pad a file; viewers ignore it. More is another file, or the rest of a broken one.
MAX_TRAILING_BYTES = 16


def inspect_image(data: bytes, *, max_bytes: int, max_pixels: int) -> ImageInfo:
    """Return what `data` is, by its first bytes and its whole container structure.

    Costs under a millisecond for a PNG of 1 MB, so it may run in a greenlet. PNG carries
    checksums, and any changed byte is seen; in JPEG and WebP a changed byte inside the coded
    pixels is not.

    Raises:
        ImageRejected: Not a still PNG, JPEG or WebP, broken, or above a limit.
    """
    if len(data) > max_bytes:
        raise ImageRejected(Rejection.TOO_LARGE, f"the image has more than {max_bytes} bytes")
    info, end = _walk(data)
    if len(data) - end > MAX_TRAILING_BYTES:
        raise ImageRejected(Rejection.TRAILING_DATA, "bytes follow the end of the image")
    if info.width * info.height > max_pixels:
        raise ImageRejected(
            Rejection.TOO_MANY_PIXELS, f"{info.width}x{info.height} is above {max_pixels} pixels"
        )
    return info


def _walk(data: bytes) -> tuple[ImageInfo, int]:
    if data.startswith(PNG_SIGNATURE):
        return inspect_png(data)
    if data.startswith(JPEG_SIGNATURE):
        return inspect_jpeg(data)
    if data.startswith(RIFF) and data[8:12] == WEBP:
        return inspect_webp(data)
    raise ImageRejected(Rejection.NOT_AN_IMAGE, "the bytes are not PNG, JPEG or WebP")
