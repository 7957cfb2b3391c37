"""The one place where failures become HTTP statuses and the OpenAI error envelope."""

import logging
from collections.abc import Mapping
from typing import NamedTuple

import orjson
from django.db import connections
from django.http import HttpRequest, HttpResponse
from rest_framework.exceptions import APIException
from rest_framework.response import Response

from core.errors import AppError, Category
from gateway.errors import (
    ContentRefusedError,
    MethodNotAllowedError,
    NotFoundError,
    RateLimitExceededError,
)
from gateway.metrics import ERRORS

logger = logging.getLogger(__name__)


class Shape(NamedTuple):
    """How a category is answered."""

    status: int
    type: str


SHAPES: Mapping[Category, Shape] = {
    Category.INVALID_REQUEST: Shape(400, "invalid_request_error"),
    Category.AUTHENTICATION: Shape(401, "authentication_error"),
    Category.BILLING: Shape(402, "billing_error"),
    Category.PERMISSION: Shape(403, "permission_error"),
    Category.NOT_FOUND: Shape(404, "not_found_error"),
    Category.METHOD_NOT_ALLOWED: Shape(405, "invalid_request_error"),
    Category.CONFLICT: Shape(409, "conflict_error"),
    Category.TOO_LARGE: Shape(413, "invalid_request_error"),
    Category.RATE_LIMIT: Shape(429, "rate_limit_error"),
    Category.INTERNAL: Shape(500, "api_error"),
    Category.UNAVAILABLE: Shape(503, "api_error"),
    Category.LOOP: Shape(508, "api_error"),
}
INTERNAL_MESSAGE = "The server had an error. You were not charged for it. Try again shortly."


class Answer(NamedTuple):
    """An error as it is sent."""

    status: int
    body: dict[str, object]
    headers: dict[str, str]


class StoredFailureError(AppError):
    """The failure a generation ended with, read from its row."""

    def __init__(self, stored: Mapping[str, object]) -> None:
        details = stored.get("details")
        param = stored.get("param")
        retry_after = stored.get("retry_after_s")
        super().__init__(
            str(stored["message"]),
            param=param if isinstance(param, str) else None,
            details=details if isinstance(details, dict) else None,
            retry_after_s=retry_after if isinstance(retry_after, int) else None,
        )
        self.stored_code = str(stored["code"])
        self.stored_category = Category(str(stored["category"]))
        self.stored_retryable = bool(stored["retryable"])


def answer_to(error: AppError) -> Answer:
    """Translate a failure."""
    code, category, retryable = error.code, error.category, error.retryable
    if isinstance(error, StoredFailureError):
        code, category = error.stored_code, error.stored_category
        retryable = error.stored_retryable
    elif isinstance(error, ContentRefusedError):
        code = error.refusal_code
    elif isinstance(error, RateLimitExceededError):
        retryable = error.can_ever_pass
    return envelope(
        Shape(*SHAPES[category]),
        message=error.message,
        param=error.param,
        code=code,
        details=error.details,
        retryable=retryable or category is Category.INTERNAL,
        retry_after_s=error.retry_after_s,
    )


def envelope(
    shape: Shape,
    *,
    message: str,
    code: str,
    param: str | None = None,
    details: Mapping[str, object] | None = None,
    retryable: bool = False,
    retry_after_s: int | None = None,
) -> Answer:
    """Build the envelope. `x-should-retry` is on every error: the SDKs retry on their own else."""
    headers = {"X-Should-Retry": "true" if retryable else "false"}
    if retry_after_s is not None:
        headers["Retry-After"] = str(retry_after_s)
    error = {"message": message, "type": shape.type, "param": param, "code": code}
    return Answer(shape.status, {"error": {**error, **(details or {})}}, headers)


def count_error(answer: Answer) -> None:
    """Count an error that is about to be sent."""
    error = answer.body["error"]
    assert isinstance(error, dict)  # noqa: S101 - as `envelope` has it
    ERRORS.labels(error["code"]).inc()


def as_response(answer: Answer) -> HttpResponse:
    """Return the answer as a plain Django response."""
    count_error(answer)
    return HttpResponse(
        orjson.dumps(answer.body),
        status=answer.status,
        content_type="application/json",
        headers=answer.headers,
    )


def handle_exception(error: Exception, context: Mapping[str, object]) -> Response | None:
    """Answer what a view raised; anything unforeseen becomes a 500 in `server_error`."""
    if isinstance(error, AppError):
        return _rest_response(answer_to(error))
    if isinstance(error, APIException):
        return _framework_error(error)
    return None


def _framework_error(error: APIException) -> Response:
    if error.status_code == SHAPES[Category.METHOD_NOT_ALLOWED].status:
        answer = answer_to(MethodNotAllowedError("This path does not take this method."))
    else:
        category = next(
            (name for name, shape in SHAPES.items() if shape.status == error.status_code),
            Category.INVALID_REQUEST,
        )
        answer = envelope(SHAPES[category], message=str(error.detail), code="invalid_value")
    return _rest_response(answer)


def _rest_response(answer: Answer) -> Response:
    count_error(answer)
    return Response(answer.body, status=answer.status, headers=answer.headers)


def bad_request(request: HttpRequest, exception: Exception) -> HttpResponse:
    """Answer what Django itself refuses, such as a foreign Host header."""
    return as_response(
        envelope(
            SHAPES[Category.INVALID_REQUEST],
            message="The request is malformed.",
            code="invalid_value",
        )
    )


def page_not_found(request: HttpRequest, exception: Exception) -> HttpResponse:
    """Answer an unknown path."""
    return as_response(
        answer_to(
            NotFoundError(
                f"Unknown path {request.method} {request.path[:200]}. Lienzo serves images:"
                " see POST /v1/images/generations."
            )
        )
    )


def server_error(request: HttpRequest) -> HttpResponse:
    """Answer a crash. The traceback is in the log under the request's id."""
    connections.close_all()
    return as_response(
        envelope(
            SHAPES[Category.INTERNAL],
            message=INTERNAL_MESSAGE,
            code="internal_error",
            retryable=True,
        )
    )
