"""Pictures made on the spot."""

import io
import random
import struct
import zlib

from PIL import Image

MAX_BYTES = 50_000_000
MAX_PIXELS = 40_000_000


def noise(width, height, mode="RGB", seed=1):
    channels = len(Image.new(mode, (1, 1)).getbands())
    pixels = random.Random(seed).randbytes(width * height * channels)
    return Image.frombytes(mode, (width, height), pixels)


def encode(image, image_format, **options):
    target = io.BytesIO()
    image.save(target, image_format, **options)
    return target.getvalue()


def decode(data):
    image = Image.open(io.BytesIO(data))
    image.load()
    return image


def chunk(kind, body):
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))


def png_of(width, height, *, depth=8, color=2, extra=b"", pixels=None):
    header = struct.pack(">IIBBBBB", width, height, depth, color, 0, 0, 0)
    if pixels is None:
        pixels = zlib.compress(b"\x00" + bytes(3 * min(width, 64)) * min(height, 64))
    return (
        b"\x89PNG\r\n\x1a\n"
        + chunk(b"IHDR", header)
        + extra
        + chunk(b"IDAT", pixels)
        + chunk(b"IEND", b"")
    )
