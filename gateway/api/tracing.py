"""The span that a request to the API is, as far as this process sees it."""

from collections.abc import Callable
from typing import Final

from django.conf import settings
from django.http import HttpRequest, HttpResponseBase

from core.telemetry import context
from core.telemetry.spans import Span, SpanKind, entry_span
from gateway.api.access import method_of, route_of, when_sent

# Probes and images that are passed through are left out.
PREFIX: Final = "/v1/"
_HEADERS: Final = {"traceparent": "HTTP_TRACEPARENT", "tracestate": "HTTP_TRACESTATE"}
_ATTRIBUTES: Final = {
    "lienzo.request.id": "request_id",
    "lienzo.organization.id": "organization_id",
    "lienzo.generation.id": "generation_id",
}
_SERVER_ERROR: Final = 500


class TraceMiddleware:
    """Traces each request until its answer has been sent.

    A caller's own trace is pointed to, and gone on with only where the operator trusts callers: who
    is gone on with decides what is sampled and under which id.
    """

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self._get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        """Serve the request."""
        if not request.path_info.startswith(PREFIX):
            return self._get_response(request)
        headers = {name: request.META[key] for name, key in _HEADERS.items() if key in request.META}
        is_trusted = settings.TRUST_TRACEPARENT
        present = entry_span(
            method_of(request),
            SpanKind.SERVER,
            headers=headers if is_trusted else None,
            # Without `tracestate`, which is text of the caller's.
            link="" if is_trusted else headers.get("traceparent", ""),
        )
        # Left in `_end`, by this same greenlet.
        present.__enter__()
        if present.trace_id:
            context.add(trace_id=present.trace_id)
        response = self._get_response(request)
        present.note("answer begun")
        when_sent(response, lambda: _end(present, request, response))
        return response


def _end(present: Span, request: HttpRequest, response: HttpResponseBase) -> None:
    method, route, status = method_of(request), route_of(request), response.status_code
    present.rename(f"{method} {route}".strip())
    present.set("http.request.method", method)
    present.set("http.route", route or None)
    present.set("http.response.status_code", status)
    present.set("url.scheme", request.scheme or None)
    fields = context.fields()
    for name, key in _ATTRIBUTES.items():
        if key in fields:
            present.set(name, str(fields[key]))
    if status >= _SERVER_ERROR:
        present.fail(str(status))
    present.end()
