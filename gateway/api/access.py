"""The line that each request to the API leaves in the log."""

import logging
import time
from collections.abc import Callable
from http import HTTPStatus
from typing import Final

from django.http import HttpRequest, HttpResponseBase

from billing.money import format_amount
from core.telemetry import context
from core.telemetry.formats import FIELDS
from gateway.types import GenerationView

METHODS: Final = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
# Orchestrators ask every few seconds, and hear nothing new.
_PROBES: Final = frozenset({"/healthz", "/readyz"})
logger = logging.getLogger(__name__)


class AccessLogMiddleware:
    """Logs each request once its answer has been sent, or its caller has gone.

    Probes that found all well leave no line.
    """

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self._get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        """Serve the request."""
        started_s = time.monotonic()
        response = self._get_response(request)

        def log() -> None:
            route = route_of(request)
            if route in _PROBES and response.status_code == HTTPStatus.OK:
                return
            own = {
                "method": method_of(request),
                "route": route,
                "status": response.status_code,
                "ms": round((time.monotonic() - started_s) * 1000, 1),
            }
            logger.info("request.answered", extra={FIELDS: own})

        when_sent(response, log)
        return response


def when_sent(response: HttpResponseBase, work: Callable[[], None]) -> None:
    """Have work done when the server closes a response: after its last byte, streamed or not."""
    response._resource_closers.append(work)  # type: ignore[attr-defined] # noqa: SLF001 - Django has no public name for it


def note_cost(view: GenerationView) -> None:
    """Have the line say what an ended generation cost."""
    if view.is_terminal:
        micros = view.charged_micros if view.livemode else 0
        context.add(cost=format_amount(micros, view.currency), currency=view.currency)


def method_of(request: HttpRequest) -> str:
    """Return the method; one that HTTP does not know could be any text."""
    return request.method if request.method in METHODS else "_OTHER"


def route_of(request: HttpRequest) -> str:
    """Return the pattern of the path, without any id of the path itself; empty if none fits."""
    match = request.resolver_match
    return "" if match is None else f"/{match.route}"
