"""PNG images of a wanted length, each with bytes of its own at next to no cost."""

import struct
import zlib
from dataclasses import dataclass
from functools import cache
from random import Random

import pybase64

SIDE = 1024
UNIQUE_BYTES = 24
_SIGNATURE = b"\x89PNG\r\n\x1a\n"
_CHUNK_OVERHEAD = 12


@dataclass(frozen=True, slots=True)
class Template:
    """An image without its last bytes: what varies is the end of a private chunk before IEND."""

    head: bytes
    head_base64: bytes
    chunk_crc: int

    def picture(self, number: int) -> bytes:
        """Return the image with this number."""
        return self.head + self._tail(number)

    def picture_base64(self, number: int) -> bytes:
        """Return the image with this number in base64."""
        return self.head_base64 + pybase64.b64encode(self._tail(number))

    def _tail(self, number: int) -> bytes:
        unique = b"%024d" % number
        crc = zlib.crc32(unique, self.chunk_crc)
        return unique + struct.pack(">I", crc) + _chunk(b"IEND", b"")


@cache
def template(length: int) -> Template:
    """Return the template of valid images of `length` bytes, SIDE pixels wide and high."""
    header = _chunk(b"IHDR", struct.pack(">IIBBBBB", SIDE, SIDE, 8, 2, 0, 0, 0))
    row = b"\0" + bytes((38, 70, 83)) * SIDE
    start = _SIGNATURE + header + _chunk(b"IDAT", zlib.compress(row * SIDE, 9))
    filling = length - len(start) - _CHUNK_OVERHEAD - len(_chunk(b"IEND", b""))
    if filling < UNIQUE_BYTES + 3:
        raise ValueError(f"an image of {length} bytes is too short")
    # The head must fill whole groups of base64.
    filling -= (len(start) + 8 + filling - UNIQUE_BYTES) % 3
    body = b"beNc" + Random(length).randbytes(filling - UNIQUE_BYTES)
    head = start + struct.pack(">I", filling) + body
    return Template(head, pybase64.b64encode(head), zlib.crc32(body))


def _chunk(kind: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))
