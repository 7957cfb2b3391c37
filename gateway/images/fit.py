"""Bring an image to the asked-for pixels and format: decode, crop, scale down, encode."""

import io
import struct
import zlib
from types import MappingProxyType
from typing import Any

from gevent import get_hub
from PIL import Image, ImageOps

from gateway.images.types import ImageFormat, ImageInfo, ImageRejected, Rejection

# Pillow's advice (Image file formats, JPEG, 2026-10): above 95 files grow and nothing is gained.
MAX_QUALITY = 95

_UNCHANGED = 100
_ORIENTATION = 0x0112
_UPRIGHT = 1
_SIDEWAYS = frozenset({5, 6, 7, 8})
_WHITE = (255, 255, 255, 255)
_GRAY_16 = frozenset({"I", "I;16", "I;16B", "I;16L"})
_PROFILE_SPACES = MappingProxyType({"L": b"GRAY", "LA": b"GRAY", "RGB": b"RGB ", "RGBA": b"RGB "})
# Whatever a decoder raises on bytes that are wrong behind an intact container.
_DECODE_ERRORS = (
    OSError,
    SyntaxError,
    ValueError,
    EOFError,
    struct.error,
    zlib.error,
    Image.DecompressionBombError,
)


def fit_image(
    data: bytes,
    info: ImageInfo,
    *,
    width: int,
    height: int,
    format: ImageFormat,  # noqa: A002 - the word of the API
    compression: int | None = None,
) -> tuple[bytes, ImageInfo, bool]:
    """Return the image with exactly the given size and format.

    The picture is turned upright, cropped around its center to the ratio and scaled down, never
    up. A color profile is kept, all other metadata dropped; transparency becomes white in JPEG.
    When nothing has to change, `data` itself is returned, metadata included. Takes up to seconds
    of CPU: greenlets call `fit_image_offloaded`.

    Args:
        data: An image that passed `inspect_image`, whose pixel limit bounds the memory used here.
        info: What `inspect_image` said about it.
        width: Pixels to deliver.
        height: Pixels to deliver.
        format: Format to deliver.
        compression: Encoder quality 0-100 of JPEG and WebP where the upstream has not applied it
            already; None and 100 leave an image of the right format as it is, and otherwise mean
            `MAX_QUALITY`.

    Returns:
        The bytes, what they are, and whether the picture was cropped or scaled.

    Raises:
        ImageRejected: The pixels cannot be decoded, or do not cover the size (`too_small`).
    """
    orientation = _orientation(data, info)
    source = (info.width, info.height)
    if orientation in _SIDEWAYS:
        source = (info.height, info.width)
    if source[0] < width or source[1] < height:
        raise ImageRejected(
            Rejection.TOO_SMALL, f"{source[0]}x{source[1]} does not cover {width}x{height}"
        )
    adjusted = source != (width, height)
    recode = format != info.format or (format != "png" and compression not in {None, _UNCHANGED})
    if not (adjusted or recode or orientation != _UPRIGHT):
        return data, info, False
    image, profile = _decode(data, info)
    if adjusted:
        image = _crop_and_scale(image, width, height)
    if format == "jpeg":
        image = _flatten(image)
    fitted = _encode(image, profile, format, compression)
    has_alpha = image.mode in {"LA", "RGBA"}
    return (
        fitted,
        ImageInfo(format=format, width=width, height=height, has_alpha=has_alpha),
        adjusted,
    )


def fit_image_offloaded(
    data: bytes,
    info: ImageInfo,
    *,
    width: int,
    height: int,
    format: ImageFormat,  # noqa: A002 - the word of the API
    compression: int | None = None,
) -> tuple[bytes, ImageInfo, bool]:
    """Do what `fit_image` does in the hub's threadpool, so that other greenlets go on."""
    options = {"width": width, "height": height, "format": format, "compression": compression}
    result = get_hub().threadpool.apply(_fit_or_rejection, (data, info), options)
    if isinstance(result, ImageRejected):
        raise result
    return result


def _fit_or_rejection(
    data: bytes,
    info: ImageInfo,
    **options: Any,  # noqa: ANN401 - as `fit_image`'s
) -> tuple[bytes, ImageInfo, bool] | ImageRejected:
    """Return a refusal instead of raising it: the threadpool prints whatever is raised in it."""
    try:
        return fit_image(data, info, **options)
    except ImageRejected as rejected:
        return rejected


def _orientation(data: bytes, info: ImageInfo) -> int:
    """Return the EXIF orientation, 1-8; opening reads headers only, no pixels."""
    if not info.has_exif:
        return _UPRIGHT
    try:
        with Image.open(io.BytesIO(data), formats=[info.format]) as image:
            value = image.getexif().get(_ORIENTATION, _UPRIGHT)
    except _DECODE_ERRORS as error:
        raise ImageRejected(Rejection.CORRUPT, "the image's metadata is broken") from error
    return value if value in range(1, 9) else _UPRIGHT


def _decode(data: bytes, info: ImageInfo) -> tuple[Image.Image, bytes | None]:
    """Return the upright picture in L, LA, RGB or RGBA, and its color profile if it still fits."""
    try:
        with Image.open(io.BytesIO(data), formats=[info.format]) as opened:
            # Decoders allocate what their own header says: it must be what was checked.
            if opened.size != (info.width, info.height):
                raise ImageRejected(Rejection.CORRUPT, "the image's headers contradict each other")
            opened.load()
            profile = opened.info.get("icc_profile")
            image = _plain_mode(ImageOps.exif_transpose(opened))
    except _DECODE_ERRORS as error:
        raise ImageRejected(Rejection.CORRUPT, "the image's pixels cannot be decoded") from error
    image.info = {}
    if not isinstance(profile, bytes) or profile[16:20] != _PROFILE_SPACES[image.mode]:
        return image, None
    return image, profile


def _plain_mode(image: Image.Image) -> Image.Image:
    if image.mode in _GRAY_16:
        return image.convert("I").point([value >> 8 for value in range(65536)], "L")
    if image.mode in {"RGBA", "LA"}:
        return image
    if image.has_transparency_data:
        return image.convert("RGBA")
    if image.mode in {"L", "RGB"}:
        return image
    return image.convert("L" if image.mode == "1" else "RGB")


def _crop_and_scale(image: Image.Image, width: int, height: int) -> Image.Image:
    source_width, source_height = image.size
    # The largest box of the target's ratio; exact where only one side is cut.
    box_width = min(source_width, source_height * width / height)
    box_height = min(source_height, source_width * height / width)
    if (box_width, box_height) == (width, height):
        left, top = (source_width - width) // 2, (source_height - height) // 2
        return image.crop((left, top, left + width, top + height))
    left_edge = (source_width - box_width) / 2
    top_edge = (source_height - box_height) / 2
    return image.resize(
        (width, height),
        Image.Resampling.LANCZOS,
        box=(left_edge, top_edge, left_edge + box_width, top_edge + box_height),
        reducing_gap=3,
    )


def _flatten(image: Image.Image) -> Image.Image:
    if image.mode not in {"LA", "RGBA"}:
        return image
    picture = image.convert("RGBA")
    white = Image.new("RGBA", picture.size, _WHITE)
    flat = Image.alpha_composite(white, picture).convert("RGB")
    return flat.convert("L") if image.mode == "LA" else flat


def _encode(
    image: Image.Image, profile: bytes | None, image_format: ImageFormat, compression: int | None
) -> bytes:
    target = io.BytesIO()
    quality = MAX_QUALITY if compression is None else min(compression, MAX_QUALITY)
    match image_format:
        case "png":
            image.save(target, "PNG", icc_profile=profile)
        case "jpeg":
            image.save(target, "JPEG", quality=quality, icc_profile=profile)
        case "webp":
            # The encoder makes RGB of gray, for which a gray profile would be wrong.
            kept = profile if image.mode in {"RGB", "RGBA"} else None
            image.save(target, "WEBP", quality=quality, icc_profile=kept)
    return target.getvalue()
