"""The marker structure of JPEG (ITU-T T.81, 1992-09, annex B)."""

import re
from struct import Struct

from gateway.images.types import ImageInfo, ImageRejected, Rejection

SIGNATURE = b"\xff\xd8\xff"

_SEGMENT = Struct(">H")
_FRAME = Struct(">BHHB")
_FILL = 0xFF
_SOI, _EOI, _SOS, _DHT, _DQT, _APP1 = 0xD8, 0xD9, 0xDA, 0xC4, 0xDB, 0xE1
# Baseline, extended and progressive Huffman coding: what decoders, and browsers, know.
_FRAMES = frozenset({0xC0, 0xC1, 0xC2})
_OTHER_FRAMES = frozenset(range(0xC0, 0xD0)) - _FRAMES - {_DHT, 0xC8, 0xCC}
_PRECISION = 8
_COMPONENTS = frozenset({1, 3, 4})
_FIRST_MARKER = 0xC0
# In coded data 0xFF is followed by a stuffed zero or a restart marker; all else ends the scan.
_END_OF_SCAN = re.compile(rb"\xff(?!\xff*[\x00\xd0-\xd7])")


class _Walk:
    """A cursor over the segments of one file."""

    def __init__(self, data: bytes) -> None:
        self.data = data
        self.position = 2
        self.size: tuple[int, int] | None = None
        self.components = 0
        self.scans = 0
        self.has_exif = False
        self.seen: set[int] = set()

    def next_marker(self) -> int:
        """Step over fill bytes and one marker, and return it."""
        data, position = self.data, self.position
        if position < len(data) and data[position] != _FILL:
            raise ImageRejected(Rejection.CORRUPT, "a JPEG marker is missing")
        while position < len(data) and data[position] == _FILL:
            position += 1
        if position >= len(data):
            raise ImageRejected(Rejection.TRUNCATED, "the JPEG ends before EOI")
        self.position = position + 1
        return data[position]

    def next_body(self) -> bytes:
        """Step over one segment's length and body, and return the body."""
        start = self.position + _SEGMENT.size
        if start > len(self.data):
            raise ImageRejected(Rejection.TRUNCATED, "the JPEG ends before EOI")
        (length,) = _SEGMENT.unpack_from(self.data, self.position)
        end = self.position + length
        if length < _SEGMENT.size:
            raise ImageRejected(Rejection.CORRUPT, "a JPEG segment has a wrong length")
        if end > len(self.data):
            raise ImageRejected(Rejection.TRUNCATED, "a JPEG segment runs past the end")
        self.position = end
        return self.data[start:end]

    def skip_scan(self) -> None:
        """Step over entropy-coded data, up to the next marker."""
        found = _END_OF_SCAN.search(self.data, self.position)
        if found is None:
            raise ImageRejected(Rejection.TRUNCATED, "the JPEG ends inside a scan")
        if found.start() == self.position:
            raise ImageRejected(Rejection.CORRUPT, "a JPEG scan is empty")
        self.position = found.start()


def inspect_jpeg(data: bytes) -> tuple[ImageInfo, int]:
    """Walk all segments from SOI to EOI, checking bounds, order and the frame header.

    JPEG has no checksums: a changed byte inside coded data cannot be seen, here or by a decoder.

    Returns:
        What the frame header says, and the offset after EOI.

    Raises:
        ImageRejected: The structure is broken, or the coding is one that browsers do not show.
    """
    walk = _Walk(data)
    while (marker := walk.next_marker()) != _EOI:
        if marker < _FIRST_MARKER or marker == _SOI or 0xD0 <= marker <= 0xD7:  # noqa: PLR2004
            raise ImageRejected(Rejection.CORRUPT, "a JPEG marker is misplaced")
        _take_segment(walk, marker, walk.next_body())
        walk.seen.add(marker)
    if walk.size is None or not walk.scans:
        raise ImageRejected(Rejection.CORRUPT, "the JPEG has no picture")
    width, height = walk.size
    info = ImageInfo(
        format="jpeg", width=width, height=height, has_alpha=False, has_exif=walk.has_exif
    )
    return info, walk.position


def _take_segment(walk: _Walk, marker: int, body: bytes) -> None:
    if marker in _FRAMES:
        _take_frame(walk, body)
    elif marker in _OTHER_FRAMES:
        raise ImageRejected(Rejection.UNSUPPORTED, "the JPEG is lossless or arithmetic-coded")
    elif marker == _SOS:
        _take_scan(walk, body)
    elif marker == _APP1 and body.startswith(b"Exif\x00\x00"):
        walk.has_exif = True


def _take_frame(walk: _Walk, body: bytes) -> None:
    if walk.size is not None or len(body) < _FRAME.size:
        raise ImageRejected(Rejection.CORRUPT, "the JPEG has not one whole frame header")
    precision, height, width, components = _FRAME.unpack_from(body)
    if len(body) != _FRAME.size + 3 * components or components not in _COMPONENTS:
        raise ImageRejected(Rejection.CORRUPT, "the JPEG's frame header is wrong")
    if precision != _PRECISION:
        raise ImageRejected(Rejection.UNSUPPORTED, "the JPEG has not 8 bits per sample")
    if not width or not height:
        raise ImageRejected(Rejection.CORRUPT, "a side of the JPEG is zero")
    walk.size, walk.components = (width, height), components


def _take_scan(walk: _Walk, body: bytes) -> None:
    if walk.size is None or not {_DQT, _DHT} <= walk.seen:
        raise ImageRejected(Rejection.CORRUPT, "a JPEG scan comes before its tables")
    if not body or not 1 <= body[0] <= walk.components or len(body) != 4 + 2 * body[0]:
        raise ImageRejected(Rejection.CORRUPT, "a JPEG scan header is wrong")
    walk.skip_scan()
    walk.scans += 1
