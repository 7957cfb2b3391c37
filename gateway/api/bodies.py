"""Reading request bodies: size first, then JSON, then a fingerprint."""

import hashlib
import re

import gevent
import orjson
from django.conf import settings
from django.http import HttpRequest
from gunicorn.http.errors import ParseException

from core.telemetry import context
from gateway.errors import InvalidJSONError, RequestTooLargeError

CHUNK_BYTES = 64 * 1024
BODY_TIMEOUT_S = 30
LENGTH = re.compile(r"[0-9]{1,12}", re.ASCII)


def read_body(request: HttpRequest) -> bytes:
    """Return the body, whatever its type, of fixed length or chunked.

    Raises:
        RequestTooLargeError: It is longer than the limit; said before it is read where the length
            is declared.
        InvalidJSONError: It ended before its declared length.
    """
    limit: int = settings.REQUEST_BODY_MAX_BYTES
    declared = request.META.get("CONTENT_LENGTH") or ""
    if LENGTH.fullmatch(declared):
        if int(declared) > limit:
            raise _too_large(limit)
        body = read_some(request, int(declared))
        if len(body) < int(declared):
            raise InvalidJSONError("The request body ended early.")
        return body
    coding = request.META.get("HTTP_TRANSFER_ENCODING", "").strip().lower()
    if not coding:
        return b""
    if coding != "chunked":
        raise InvalidJSONError("Send the body with a Content-Length, or chunked and not coded.")
    chunks: list[bytes] = []
    total = 0
    while chunk := read_some(request, CHUNK_BYTES):
        total += len(chunk)
        if total > limit:
            raise _too_large(limit)
        chunks.append(chunk)
    return b"".join(chunks)


def parse_json(body: bytes) -> object:
    """Parse JSON; deep nesting, lone surrogates, NaN and huge numbers are refused.

    A prompt in it is kept out of the log from here on.

    Raises:
        InvalidJSONError: It is not JSON.
    """
    try:
        parsed = orjson.loads(body)
    except orjson.JSONDecodeError as error:
        raise InvalidJSONError(
            f"The request body is not valid JSON: {error}. Send one JSON object."
        ) from error
    if isinstance(parsed, dict):
        context.conceal(parsed.get("prompt"))
    return parsed


def fingerprint(*, method: str, path: str, value: object, prefer: str, livemode: bool) -> bytes:
    """Return the SHA-256 of method, route, mode and canonical input: nulls removed, keys sorted.

    Raises:
        InvalidJSONError: The input is nested deeper than orjson writes; it reads a little deeper.
    """
    try:
        canonical = orjson.dumps(
            [method, path.rstrip("/"), prefer.strip().lower(), livemode, _without_nulls(value)],
            option=orjson.OPT_SORT_KEYS,
        )
    except orjson.JSONEncodeError as error:
        raise InvalidJSONError("The request body is nested too deeply.") from error
    return hashlib.sha256(canonical).digest()


def _without_nulls(value: object) -> object:
    if isinstance(value, dict):
        return {key: item for key, item in value.items() if item is not None}
    return value


def read_some(request: HttpRequest, size: int) -> bytes:
    """Read up to `size` bytes of a body, within the time that may take.

    Raises:
        InvalidJSONError: The body is malformed, was cut, or did not arrive in time.
    """
    try:
        with gevent.Timeout(BODY_TIMEOUT_S):
            return bytes(request.META["wsgi.input"].read(size))
    except gevent.Timeout as error:
        raise InvalidJSONError(
            f"The request body did not arrive within {BODY_TIMEOUT_S} seconds."
        ) from error
    except (OSError, ValueError, ParseException) as error:
        raise InvalidJSONError("The request body is malformed or was cut.") from error


def _too_large(limit: int) -> RequestTooLargeError:
    return RequestTooLargeError(f"The request body is larger than {limit} bytes.")
