"""Reading request bodies: size first, then JSON, then a fingerprint."""

import hashlib

import orjson
from django.conf import settings
from django.http import HttpRequest

from gateway.errors import InvalidJSONError, RequestTooLargeError

CHUNK_BYTES = 64 * 1024


def read_body(request: HttpRequest) -> bytes:
    """Return the body, whatever its type, of fixed length or chunked.

    Raises:
        RequestTooLargeError: It is longer than the limit; said before it is read where the length
            is declared.
        InvalidJSONError: It ended before its declared length.
    """
    limit: int = settings.REQUEST_BODY_MAX_BYTES
    declared = request.META.get("CONTENT_LENGTH") or ""
    if declared.isdigit():
        if int(declared) > limit:
            raise _too_large(limit)
        body = request.META["wsgi.input"].read(int(declared))
        if len(body) < int(declared):
            raise InvalidJSONError("The request body ended early.")
        return bytes(body)
    if request.META.get("HTTP_TRANSFER_ENCODING", "").lower() != "chunked":
        return b""
    chunks: list[bytes] = []
    total = 0
    while chunk := request.META["wsgi.input"].read(CHUNK_BYTES):
        total += len(chunk)
        if total > limit:
            raise _too_large(limit)
        chunks.append(chunk)
    return b"".join(chunks)


def parse_json(body: bytes) -> object:
    """Parse JSON; deep nesting, lone surrogates, NaN and huge numbers are refused.

    Raises:
        InvalidJSONError: It is not JSON.
    """
    try:
        return orjson.loads(body)
    except orjson.JSONDecodeError as error:
        raise InvalidJSONError(
            f"The request body is not valid JSON: {error}. Send one JSON object."
        ) from error


def fingerprint(*, method: str, path: str, value: object, prefer: str) -> bytes:
    """Return the SHA-256 of method, route and canonical input: nulls removed, keys sorted."""
    canonical = orjson.dumps(
        [method, path.rstrip("/"), prefer.strip().lower(), _without_nulls(value)],
        option=orjson.OPT_SORT_KEYS,
    )
    return hashlib.sha256(canonical).digest()


def _without_nulls(value: object) -> object:
    if isinstance(value, dict):
        return {key: item for key, item in value.items() if item is not None}
    return value


def _too_large(limit: int) -> RequestTooLargeError:
    return RequestTooLargeError(f"The request body is larger than {limit} bytes.")
