"""Public images passed through from storage, for installations whose S3 is not itself public."""

import re
from collections.abc import Mapping
from types import MappingProxyType

from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.http.response import StreamingHttpResponse
from django.utils.http import http_date, parse_etags

from core.errors import Category
from gateway.api.errors import SHAPES, Answer, Shape, answer_to, as_response, envelope
from gateway.errors import MethodNotAllowedError, NotFoundError
from gateway.images import CONTENT_TYPES, EXTENSIONS
from gateway.storage import (
    NotModifiedError,
    ObjectInfo,
    ObjectNotFoundError,
    RangeNotSatisfiableError,
    StorageError,
    public_storage,
    release_connections,
)

_UUID = "[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}"
_KEY = re.compile(rf"{_UUID}/{_UUID}/(?:0|[1-9][0-9]{{0,2}})\.(png|jpg|webp)")
_RANGE = re.compile(r"bytes=(?:[0-9]{1,18}-[0-9]{0,18}|-[0-9]{1,18})")
_TYPES = MappingProxyType({EXTENSIONS[name]: CONTENT_TYPES[name] for name in CONTENT_TYPES})
# Pictures may be shown by any page; nothing but a picture is ever served.
_COMMON = MappingProxyType(
    {
        "Access-Control-Allow-Origin": "*",
        "Cross-Origin-Resource-Policy": "cross-origin",
        "X-Content-Type-Options": "nosniff",
    }
)
_DEFAULT_CACHE = "public, max-age=86400"
_RETRY_AFTER_S = 5


def public_image(request: HttpRequest, path: str) -> HttpResponseBase:
    """Serve `GET|HEAD /generated-images/<org_uuid>/<request_uuid>/<n>.<ext>`.

    Memory is constant: 48 KiB chunks go from S3 to the client. No database connection is held.
    """
    release_connections()
    if request.method not in {"GET", "HEAD"}:
        response = _answer(answer_to(MethodNotAllowedError("Use GET or HEAD.")))
        response["Allow"] = "GET, HEAD"
        return response
    key = _KEY.fullmatch(path)
    if key is None:
        return _not_found()
    try:
        return _serve(request, path, _TYPES[key[1]])
    except NotModifiedError as error:
        return _not_modified(error.etag, _DEFAULT_CACHE)
    except StorageError as error:
        return _failure(error)


def _serve(request: HttpRequest, key: str, content_type: str) -> HttpResponseBase:
    storage = public_storage()
    known = request.headers.get("If-None-Match")
    if request.method == "HEAD":
        info = storage.stat(key)
        if _matches(known, info.etag):
            return _not_modified(info.etag, info.cache_control)
        return HttpResponse(headers=_headers(info, content_type))
    byte_range = _single_range(request)
    stream = storage.open_stream(key, byte_range=byte_range, if_none_match=known)
    info = stream.info
    # Servers differ in lists, `*` and weak tags, which are compared here once more.
    if _matches(known, info.etag):
        stream.close()
        return _not_modified(info.etag, info.cache_control)
    if byte_range and (condition := request.headers.get("If-Range")) and condition != info.etag:
        stream.close()
        stream = storage.open_stream(key)
        info = stream.info
    headers = _headers(info, content_type)
    return StreamingHttpResponse(
        stream, status=206 if info.content_range else 200, headers=dict(headers)
    )


def _single_range(request: HttpRequest) -> str | None:
    """Return the `Range` header if it asks for one range; several are answered with all bytes."""
    value = request.headers.get("Range", "")
    return value if _RANGE.fullmatch(value) else None


def _matches(known: str | None, etag: str) -> bool:
    if known is None:
        return False
    tags = [tag.removeprefix("W/") for tag in parse_etags(known)]
    return "*" in tags or etag.removeprefix("W/") in tags


def _headers(info: ObjectInfo, content_type: str) -> Mapping[str, str]:
    headers = {
        **_COMMON,
        "Content-Type": content_type,
        "Content-Length": str(info.size),
        "Content-Disposition": "inline",
        "ETag": info.etag,
        "Last-Modified": http_date(info.last_modified.timestamp()),
        "Cache-Control": info.cache_control or _DEFAULT_CACHE,
        "Accept-Ranges": "bytes",
    }
    if info.content_range:
        headers["Content-Range"] = info.content_range
    return headers


def _not_modified(etag: str, cache_control: str) -> HttpResponse:
    response = HttpResponse(
        status=304, headers={**_COMMON, "Cache-Control": cache_control or _DEFAULT_CACHE}
    )
    del response["Content-Type"]
    if etag:
        response["ETag"] = etag
    return response


def _failure(error: StorageError) -> HttpResponse:
    if isinstance(error, ObjectNotFoundError):
        return _not_found()
    if isinstance(error, RangeNotSatisfiableError):
        shape = Shape(416, SHAPES[Category.INVALID_REQUEST].type)
        response = _answer(envelope(shape, message="No such bytes.", code="invalid_value"))
        if error.content_range:
            response["Content-Range"] = error.content_range
        return response
    return _answer(
        envelope(
            SHAPES[Category.UNAVAILABLE],
            message="The image storage does not answer.",
            code="provider_unavailable",
            retryable=True,
            retry_after_s=_RETRY_AFTER_S,
        )
    )


def _not_found() -> HttpResponse:
    return _answer(answer_to(NotFoundError("No such image.")))


def _answer(answer: Answer) -> HttpResponse:
    """Return an error that nobody caches: a missing image may yet be stored."""
    response = as_response(answer)
    for name, value in {**_COMMON, "Cache-Control": "no-store"}.items():
        response[name] = value
    return response
