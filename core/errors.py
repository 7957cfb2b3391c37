"""The base of every anticipated failure.

A subclass is one failure: a stable `code`, a `category` and a safe message. HTTP statuses and the
OpenAI envelope are mapped in one place, `gateway.api.errors`.
"""

from collections.abc import Mapping
from enum import StrEnum
from typing import ClassVar


class Category(StrEnum):
    """What kind of failure an error is; the edge maps each to one status and `type`."""

    INVALID_REQUEST = "invalid_request"
    AUTHENTICATION = "authentication"
    PERMISSION = "permission"
    NOT_FOUND = "not_found"
    CONFLICT = "conflict"
    BILLING = "billing"
    RATE_LIMIT = "rate_limit"
    TOO_LARGE = "too_large"
    METHOD_NOT_ALLOWED = "method_not_allowed"
    LOOP = "loop"
    UNAVAILABLE = "unavailable"
    INTERNAL = "internal"


class AppError(Exception):
    """An anticipated failure whose message may be shown to the caller.

    Attributes:
        code: Stable snake_case word clients may branch on.
        category: Decides the HTTP status and the envelope's `type`.
        retryable: Whether the same request may succeed later without a change.
        param: Name of the offending request field, if one is to blame.
        details: Further fields of the error object, e.g. `moderation_details`.
        retry_after_s: Seconds to wait before a retry, where known.
    """

    code: ClassVar[str] = "internal_error"
    category: ClassVar[Category] = Category.INTERNAL
    retryable: ClassVar[bool] = False

    def __init__(
        self,
        message: str,
        *,
        param: str | None = None,
        details: Mapping[str, object] | None = None,
        retry_after_s: int | None = None,
    ) -> None:
        super().__init__(message)
        self.message = message
        self.param = param
        self.details: Mapping[str, object] = details or {}
        self.retry_after_s = retry_after_s
