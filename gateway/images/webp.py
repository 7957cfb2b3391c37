"""The RIFF structure of WebP (RFC 9649, 2024-11)."""

from struct import Struct

from gateway.images.types import ImageInfo, ImageRejected, Rejection

RIFF = b"RIFF"
WEBP = b"WEBP"

_CHUNK = Struct("<4sI")
_FILE_HEADER_BYTES = 12
_VP8 = Struct("<3s3sHH")
_START_CODE = b"\x9d\x01\x2a"
_VP8L = Struct("<BI")
_VP8L_SIGNATURE = 0x2F
_VP8X_BYTES = 10
_SIDE_BITS = 0x3FFF
_ANIMATION_FLAG, _EXIF_FLAG, _ALPHA_FLAG = 0x02, 0x08, 0x10
_MAX_VP8_VERSION = 3


def inspect_webp(data: bytes) -> tuple[ImageInfo, int]:
    """Walk all chunks, checking bounds, the bitstream's header and that the sizes agree.

    WebP has no checksums: a changed byte inside the bitstream cannot be seen.

    Returns:
        What the headers say, and the offset after the RIFF container.

    Raises:
        ImageRejected: The structure is broken, or the WebP is animated.
    """
    chunks, end = _chunks(data)
    names = [name for name, _ in chunks]
    if b"ANIM" in names or b"ANMF" in names:
        raise ImageRejected(Rejection.ANIMATED, "the WebP is animated")
    streams = [(name, body) for name, body in chunks if name in {b"VP8 ", b"VP8L"}]
    if len(streams) != 1 or names[0] not in {b"VP8 ", b"VP8L", b"VP8X"}:
        raise ImageRejected(Rejection.CORRUPT, "the WebP has not one picture")
    name, body = streams[0]
    width, height, has_alpha = _lossy(body) if name == b"VP8 " else _lossless(body)
    has_exif = False
    if names[0] == b"VP8X":
        flags = _check_canvas(chunks[0][1], width, height)
        has_alpha = has_alpha or (bool(flags & _ALPHA_FLAG) and b"ALPH" in names)
        has_exif = bool(flags & _EXIF_FLAG) or b"EXIF" in names
    info = ImageInfo(
        format="webp", width=width, height=height, has_alpha=has_alpha, has_exif=has_exif
    )
    return info, end


def _chunks(data: bytes) -> tuple[list[tuple[bytes, memoryview]], int]:
    if len(data) < _FILE_HEADER_BYTES:
        raise ImageRejected(Rejection.TRUNCATED, "the WebP ends inside its header")
    _, size = _CHUNK.unpack_from(data, 0)
    end = _CHUNK.size + size
    if end > len(data):
        raise ImageRejected(Rejection.TRUNCATED, "the WebP is shorter than it says")
    view = memoryview(data)
    found: list[tuple[bytes, memoryview]] = []
    position = _FILE_HEADER_BYTES
    while position < end:
        if position + _CHUNK.size > end:
            raise ImageRejected(Rejection.CORRUPT, "a WebP chunk runs past the end")
        name, length = _CHUNK.unpack_from(data, position)
        start = position + _CHUNK.size
        # Chunks are padded to an even length.
        position = start + length + (length & 1)
        if position > end:
            raise ImageRejected(Rejection.CORRUPT, "a WebP chunk runs past the end")
        found.append((name, view[start : start + length]))
    if not found:
        raise ImageRejected(Rejection.CORRUPT, "the WebP is empty")
    return found, end


def _lossy(body: memoryview) -> tuple[int, int, bool]:
    if len(body) <= _VP8.size:
        raise ImageRejected(Rejection.CORRUPT, "the WebP's bitstream is cut")
    tag_bytes, start_code, width, height = _VP8.unpack_from(body)
    tag = int.from_bytes(tag_bytes, "little")
    is_shown_key_frame = not tag & 1 and (tag >> 1) & 7 <= _MAX_VP8_VERSION and (tag >> 4) & 1
    if not is_shown_key_frame or start_code != _START_CODE:
        raise ImageRejected(Rejection.CORRUPT, "the WebP's bitstream has a wrong header")
    if (tag >> 5) >= len(body) - _VP8.size:
        raise ImageRejected(Rejection.CORRUPT, "the WebP's bitstream is cut")
    # The two upper bits of each side are a scaling hint for the display.
    width, height = width & _SIDE_BITS, height & _SIDE_BITS
    if not width or not height:
        raise ImageRejected(Rejection.CORRUPT, "a side of the WebP is zero")
    return width, height, False


def _lossless(body: memoryview) -> tuple[int, int, bool]:
    if len(body) <= _VP8L.size:
        raise ImageRejected(Rejection.CORRUPT, "the WebP's bitstream is cut")
    signature, bits = _VP8L.unpack_from(body)
    if signature != _VP8L_SIGNATURE or bits >> 29:
        raise ImageRejected(Rejection.CORRUPT, "the WebP's bitstream has a wrong header")
    return (bits & _SIDE_BITS) + 1, ((bits >> 14) & _SIDE_BITS) + 1, bool(bits >> 28 & 1)


def _check_canvas(body: memoryview, width: int, height: int) -> int:
    """Compare the extended header with the bitstream; return its flags."""
    if len(body) != _VP8X_BYTES:
        raise ImageRejected(Rejection.CORRUPT, "the WebP's extended header has a wrong length")
    flags = body[0]
    if flags & _ANIMATION_FLAG:
        raise ImageRejected(Rejection.ANIMATED, "the WebP is animated")
    canvas = (
        int.from_bytes(body[4:7], "little") + 1,
        int.from_bytes(body[7:10], "little") + 1,
    )
    if canvas != (width, height):
        raise ImageRejected(Rejection.CORRUPT, "the WebP's canvas and picture differ in size")
    return flags
