"""Images to send along, and the forms that arrive with them."""

import hashlib
import io
from collections.abc import Iterator
from dataclasses import dataclass
from email import message_from_bytes

from PIL import Image, ImageDraw

from core.http.errors import UploadFailed
from gateway.providers.base import InputImage
from tests.core.http.upstream import Received

CHUNK = 64 * 1024


@dataclass
class Stored:
    """A source of bytes; `breaks` ends it with an error half way."""

    data: bytes
    breaks: bool = False

    @property
    def size(self) -> int:
        return len(self.data)

    def chunks(self) -> Iterator[bytes]:
        end = len(self.data) // 2 if self.breaks else len(self.data)
        for start in range(0, end, CHUNK):
            yield self.data[start : min(start + CHUNK, end)]
        if self.breaks:
            raise UploadFailed("the bucket does not answer")


@dataclass
class Endless:
    """A source of many bytes that nobody has in memory."""

    size: int

    def chunks(self) -> Iterator[bytes]:
        for start in range(0, self.size, CHUNK):
            yield bytes(min(CHUNK, self.size - start))


def picture(
    size: tuple[int, int] = (64, 64),
    color: tuple[int, ...] = (200, 30, 30),
    kind: str = "png",
    hole: tuple[int, int, int, int] | None = None,
) -> bytes:
    """Encode an image of one color; a `hole` is transparent, as in a mask."""
    image = Image.new("RGBA" if hole else "RGB", size, color)
    if hole:
        ImageDraw.Draw(image).rectangle(hole, fill=(0, 0, 0, 0))
    out = io.BytesIO()
    image.save(out, kind)
    return out.getvalue()


def sent(data: bytes, kind: str = "png", *, breaks: bool = False) -> InputImage:
    return InputImage(
        source=Stored(data, breaks), content_type=f"image/{kind}", width=64, height=64
    )


def parts_of(request: Received) -> list[tuple[str, str | None, str, bytes]]:
    """Return each part of a form: name, file name, content type and bytes."""
    head = f"Content-Type: {request.headers['content-type']}\r\n\r\n".encode()
    message = message_from_bytes(head + request.body)
    assert not message.defects
    return [
        (
            str(part.get_param("name", header="content-disposition")),
            part.get_filename(),
            part.get_content_type(),
            bytes(part.get_payload(decode=True) or b""),
        )
        for part in list(message.walk())[1:]
    ]


def texts_of(request: Received) -> dict[str, str]:
    return {name: data.decode() for name, file, _, data in parts_of(request) if file is None}


def is_whole(request: Received) -> bool:
    """Return whether a request came as long as it was announced: one that was cut off did not."""
    return len(request.body) == int(request.headers["content-length"])


def sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def red_and_blue(data: bytes, at: tuple[int, int]) -> tuple[int, int]:
    """Return how red and how blue an image is at a point."""
    color = Image.open(io.BytesIO(data)).convert("RGB").getpixel(at)
    assert isinstance(color, tuple)
    return color[0], color[2]
