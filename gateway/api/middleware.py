"""What every request gets: an id, a client address, and protection from loops."""

import time
from collections.abc import Callable, Iterator, Mapping
from ipaddress import IPv4Address, IPv6Address, ip_address
from typing import cast
from uuid import UUID

from django.conf import settings
from django.http import HttpRequest, HttpResponse, HttpResponseBase, StreamingHttpResponse

from core.http.client import HOP_HEADER
from core.ids import new_uuid, request_id
from core.telemetry import context
from gateway.api.errors import answer_to, as_response
from gateway.errors import LoopDetectedError
from gateway.metrics import REQUEST_DURATION, REQUESTS

Address = IPv4Address | IPv6Address
LOOPBACK = IPv4Address("127.0.0.1")
ANSWER_HEADERS = "lienzo.answer_headers"
_METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
HOP_META = "HTTP_" + HOP_HEADER.upper().replace("-", "_")


class RequestContextMiddleware:
    """Gives each request a UUID, sets `X-Request-Id`, and refuses our own calls."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self._get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        """Serve the request."""
        began = time.monotonic()
        uuid = new_uuid()
        public_id = request_id(uuid)
        request.META["lienzo.request_uuid"] = uuid
        context.begin(request_id=public_id)
        if HOP_META in request.META:
            response: HttpResponseBase = as_response(
                answer_to(
                    LoopDetectedError(
                        "This request came from a Lienzo gateway: one of its providers' base URLs"
                        " points back to Lienzo."
                    )
                )
            )
        else:
            response = self._get_response(request)
        if not response.streaming and "Content-Length" not in response.headers:
            response.headers["Content-Length"] = str(len(cast("HttpResponse", response).content))
        for name, value in request.META.get(ANSWER_HEADERS, {}).items():
            response.headers[name] = value
        response.headers["X-Request-Id"] = public_id
        _count(request, response, began)
        return response


class _Counted:
    """The chunks of an answer, which is over when the server closes them."""

    def __init__(self, chunks: Iterator[bytes], done: Callable[[], None]) -> None:
        self._chunks = chunks
        self.close = done

    def __iter__(self) -> Iterator[bytes]:
        return self._chunks


def _count(request: HttpRequest, response: HttpResponseBase, began: float) -> None:
    """Count an answer, and how long it took, once its last byte is with the server."""
    match = request.resolver_match
    route = "none"
    if match is not None:
        # Pages of the console have names; together they are one route.
        route = "console" if match.url_name else f"/{match.route}"
    method = request.method if request.method in _METHODS else "other"
    REQUESTS.labels(route, method, response.status_code).inc()
    duration = REQUEST_DURATION.labels(route)
    if response.streaming:
        answer = cast("StreamingHttpResponse", response)
        chunks = cast("Iterator[bytes]", answer.streaming_content)
        answer.streaming_content = _Counted(
            chunks, lambda: duration.observe(time.monotonic() - began)
        )
    else:
        duration.observe(time.monotonic() - began)


def request_uuid(request: HttpRequest) -> UUID:
    """Return the UUID given to a request."""
    uuid = request.META["lienzo.request_uuid"]
    assert isinstance(uuid, UUID)  # noqa: S101
    return uuid


def set_answer_headers(request: HttpRequest, headers: Mapping[str, str]) -> None:
    """Let whatever answers the request, an error too, carry these headers in place of earlier ones.

    They must be set before the answer is begun.
    """
    request.META[ANSWER_HEADERS] = headers


def client_address(request: HttpRequest) -> str:
    """Return the caller's address; `X-Forwarded-For` counts only from trusted proxies.

    Hops are read from the nearest on; one that is no address ends the walk at the last good one.
    """
    address = _parse_address(str(request.META.get("REMOTE_ADDR") or "")) or LOOPBACK
    for hop in reversed(request.META.get("HTTP_X_FORWARDED_FOR", "").split(",")):
        candidate = _parse_address(hop)
        if candidate is None or not _is_trusted(address):
            break
        address = candidate
    return str(address)


def _parse_address(text: str) -> Address | None:
    """Read `1.2.3.4`, `1.2.3.4:80`, `::1`, `[::1]` or `[::1]:80`; None if it is none of them."""
    bare = text.strip()
    if bare.startswith("["):
        bare = bare[1:].partition("]")[0]
    elif bare.count(":") == 1:
        bare = bare.partition(":")[0]
    try:
        address = ip_address(bare)
    except ValueError:
        return None
    return getattr(address, "ipv4_mapped", None) or address


def _is_trusted(address: Address) -> bool:
    return any(address in network for network in settings.TRUSTED_PROXY_CIDRS)
