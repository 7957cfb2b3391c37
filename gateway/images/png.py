"""The chunk structure of PNG (W3C PNG Specification, third edition, 2025-06)."""

import zlib
from dataclasses import dataclass, field
from struct import Struct
from types import MappingProxyType

from gateway.images.types import ImageInfo, ImageRejected, Rejection

SIGNATURE = b"\x89PNG\r\n\x1a\n"

_HEADER = Struct(">I4s")
_CRC = Struct(">I")
_IHDR = Struct(">IIBBBBB")
_OVERHEAD = _HEADER.size + _CRC.size
_MAX_SIDE = 2**31 - 1
_MAX_PALETTE = 256 * 3
# Deflate cannot shrink anything further than this (zlib's technical notes: 1032:1).
_MAX_DEFLATE_RATIO = 1032

_GRAY, _RGB, _PALETTE, _GRAY_ALPHA, _RGB_ALPHA = 0, 2, 3, 4, 6
_DEPTHS = MappingProxyType(
    {
        _GRAY: (1, 2, 4, 8, 16),
        _RGB: (8, 16),
        _PALETTE: (1, 2, 4, 8),
        _GRAY_ALPHA: (8, 16),
        _RGB_ALPHA: (8, 16),
    }
)
_CHANNELS = MappingProxyType({_GRAY: 1, _RGB: 3, _PALETTE: 1, _GRAY_ALPHA: 2, _RGB_ALPHA: 4})
_ANIMATION = frozenset({b"acTL", b"fcTL", b"fdAT"})


@dataclass(slots=True)
class _Walk:
    """What the chunks up to here have told."""

    width: int = 0
    height: int = 0
    color: int = 0
    bits_per_pixel: int = 0
    data_bytes: int = 0
    previous: bytes = b""
    seen: set[bytes] = field(default_factory=set)


def inspect_png(data: bytes) -> tuple[ImageInfo, int]:
    """Walk all chunks, checking order, bounds and every CRC.

    The pixels are not inflated: a picture whose chunks are intact but whose compressed data was
    wrong before the checksums were made passes.

    Returns:
        What the header says, and the offset after IEND.

    Raises:
        ImageRejected: The structure is broken, or the PNG is animated.
    """
    view = memoryview(data)
    walk = _Walk()
    position = len(SIGNATURE)
    while walk.previous != b"IEND":
        if position + _OVERHEAD > len(data):
            raise ImageRejected(Rejection.TRUNCATED, "the PNG ends before IEND")
        length, kind = _HEADER.unpack_from(data, position)
        end = position + _OVERHEAD + length
        if end > len(data):
            raise ImageRejected(Rejection.TRUNCATED, "a PNG chunk runs past the end")
        (crc,) = _CRC.unpack_from(data, end - _CRC.size)
        if zlib.crc32(view[position + 4 : end - _CRC.size]) != crc:
            raise ImageRejected(Rejection.CORRUPT, "a PNG chunk has a wrong checksum")
        _take_chunk(walk, kind, view[position + _HEADER.size : end - _CRC.size])
        position = end
    _check_complete(walk)
    info = ImageInfo(
        format="png",
        width=walk.width,
        height=walk.height,
        has_alpha=walk.color in {_GRAY_ALPHA, _RGB_ALPHA} or b"tRNS" in walk.seen,
        has_exif=b"eXIf" in walk.seen,
    )
    return info, position


def _take_chunk(walk: _Walk, kind: bytes, body: memoryview) -> None:
    if kind in _ANIMATION:
        raise ImageRejected(Rejection.ANIMATED, "the PNG is animated")
    if (kind == b"IHDR") != (not walk.previous):
        raise ImageRejected(Rejection.CORRUPT, "IHDR is not the first chunk, once")
    match kind:
        case b"IHDR":
            _take_header(walk, body)
        case b"PLTE":
            _take_palette(walk, body)
        case b"IDAT":
            if b"IDAT" in walk.seen and walk.previous != b"IDAT":
                raise ImageRejected(Rejection.CORRUPT, "IDAT chunks are not consecutive")
            walk.data_bytes += len(body)
        case b"IEND":
            if body:
                raise ImageRejected(Rejection.CORRUPT, "IEND is not empty")
        case _:
            if not kind.isalpha() or kind[:1].isupper():
                raise ImageRejected(Rejection.CORRUPT, "a critical PNG chunk is unknown")
    walk.seen.add(kind)
    walk.previous = kind


def _take_header(walk: _Walk, body: memoryview) -> None:
    if len(body) != _IHDR.size:
        raise ImageRejected(Rejection.CORRUPT, "IHDR has a wrong length")
    width, height, depth, color, compression, filtering, interlace = _IHDR.unpack(body)
    if not (1 <= width <= _MAX_SIDE and 1 <= height <= _MAX_SIDE):
        raise ImageRejected(Rejection.CORRUPT, "a side of the PNG is zero or absurd")
    if depth not in _DEPTHS.get(color, ()) or compression or filtering or interlace > 1:
        raise ImageRejected(Rejection.CORRUPT, "IHDR has undefined values")
    walk.width, walk.height, walk.color = width, height, color
    walk.bits_per_pixel = depth * _CHANNELS[color]


def _take_palette(walk: _Walk, body: memoryview) -> None:
    if walk.color in {_GRAY, _GRAY_ALPHA} or walk.seen & {b"PLTE", b"IDAT"}:
        raise ImageRejected(Rejection.CORRUPT, "PLTE is misplaced")
    if not body or len(body) % 3 or len(body) > _MAX_PALETTE:
        raise ImageRejected(Rejection.CORRUPT, "PLTE has a wrong length")


def _check_complete(walk: _Walk) -> None:
    if not walk.data_bytes:
        raise ImageRejected(Rejection.CORRUPT, "the PNG has no pixels")
    if walk.color == _PALETTE and b"PLTE" not in walk.seen:
        raise ImageRejected(Rejection.CORRUPT, "the PNG's palette is missing")
    if walk.width * walk.height * walk.bits_per_pixel > walk.data_bytes * 8 * _MAX_DEFLATE_RATIO:
        raise ImageRejected(Rejection.CORRUPT, "the PNG has too little data for its size")
