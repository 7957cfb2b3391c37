"""Reading bodies within a limit, and the encodings images travel in."""

import binascii
import io
from collections.abc import Callable, Iterable
from urllib.parse import unquote_to_bytes

import orjson
import pybase64
from urllib3.filepost import encode_multipart_formdata

from core.http.errors import BodyInvalid, BodyTooLarge

CHUNK_BYTES = 64 * 1024
LARGE_BODY_BYTES = 16 * 1024 * 1024


def read_limited(
    read_chunk: Callable[[], bytes], *, limit: int, on_large: Callable[[], None] | None = None
) -> bytes:
    """Collect chunks until an empty one; the bytes exist once only, the chunks aside.

    `on_large` is called once, before more than 16 MiB are kept.

    Raises:
        BodyTooLarge: More than `limit` bytes came.
    """
    # BytesIO hands its own buffer out: joining a list of chunks would hold everything twice.
    buffer = io.BytesIO()
    while chunk := read_chunk():
        length = buffer.tell() + len(chunk)
        if length > limit:
            raise BodyTooLarge(f"the body is longer than {limit} bytes")
        if length > LARGE_BODY_BYTES and on_large is not None:
            on_large()
            on_large = None
        buffer.write(chunk)
    return buffer.getvalue()


def parse_json(body: bytes) -> object:
    """Parse a JSON text.

    Raises:
        BodyInvalid: It is not JSON.
    """
    try:
        return orjson.loads(body)
    except orjson.JSONDecodeError as error:
        raise BodyInvalid("the body is not JSON") from error


def encode_form(fields: Iterable[tuple[str, str]]) -> tuple[bytes, str]:
    """Return multipart/form-data of text fields (RFC 7578), and its content type."""
    return encode_multipart_formdata(list(fields))


def decode_base64(text: str) -> bytes:
    """Decode standard base64, with or without a `data:` prefix; line breaks are tolerated.

    Raises:
        BodyInvalid: It is not base64.
    """
    if text.startswith("data:"):
        return decode_data_uri(text)
    try:
        return pybase64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        pass
    try:
        return pybase64.b64decode("".join(text.split()), validate=True)
    except (binascii.Error, ValueError) as error:
        raise BodyInvalid("the image is not base64") from error


def decode_data_uri(uri: str) -> bytes:
    """Return the bytes of a `data:` URI (RFC 2397).

    Raises:
        BodyInvalid: It has no comma, or its base64 is broken.
    """
    head, comma, data = uri.partition(",")
    if not comma:
        raise BodyInvalid("the data URI has no data")
    if head.endswith(";base64"):
        return decode_base64(data)
    return unquote_to_bytes(data)
