"""Every anticipated failure of the generation API."""

from collections.abc import Mapping
from typing import ClassVar

from core.errors import AppError, Category


class InvalidRequestError(AppError):
    """The request cannot be served as it stands; `param` names the field."""

    code = "invalid_value"
    category = Category.INVALID_REQUEST


class InvalidJSONError(InvalidRequestError):
    """The body is not one JSON object."""

    code = "invalid_json"


class MissingParameterError(InvalidRequestError):
    """A required field is absent or blank."""

    code = "missing_required_parameter"


class UnsupportedValueError(InvalidRequestError):
    """The value is well-formed but this model or server does not offer it."""

    code = "unsupported_value"


class MaxCostExceededError(InvalidRequestError):
    """The quote is above the caller's `max_cost`."""

    code = "max_cost_exceeded"


class QuoteMismatchError(InvalidRequestError):
    """There is no such quote, or it is for another request or organization."""

    code = "quote_mismatch"


class QuoteExpiredError(InvalidRequestError):
    """The quote has been used, or is older than ten minutes."""

    code = "quote_expired"


class GenerationCanceledError(InvalidRequestError):
    """The generation was canceled before it ran."""

    code = "generation_canceled"


class ContentRefusedError(InvalidRequestError):
    """A provider's safety system refused the prompt or the picture.

    The code is the upstream's own on OpenAI-protocol routes (`moderation_blocked`,
    `content_policy_violation`), else `content_policy_violation`.
    """

    code = "content_policy_violation"

    def __init__(
        self, message: str, *, code: str, details: Mapping[str, object] | None = None
    ) -> None:
        super().__init__(message, param="prompt", details=details)
        self.refusal_code = code


class RequestTooLargeError(AppError):
    """The body is longer than the limit."""

    code = "request_too_large"
    category = Category.TOO_LARGE


class NotFoundError(AppError):
    """No such path or object, or it belongs to another organization."""

    code = "not_found"
    category = Category.NOT_FOUND


class ModelNotFoundError(NotFoundError):
    """The catalog has no such model."""

    code = "model_not_found"


class ModelRetiredError(NotFoundError):
    """The model is retired and the organization forbids a substitute."""

    code = "model_retired"


class MethodNotAllowedError(AppError):
    """The path exists, the method does not."""

    code = "method_not_allowed"
    category = Category.METHOD_NOT_ALLOWED


class IdempotencyKeyReusedError(AppError):
    """The `Idempotency-Key` was used before with another request."""

    code = "idempotency_key_reused"
    category = Category.CONFLICT


class GenerationRunningError(AppError):
    """The generation is running and can be neither canceled nor deleted."""

    code = "generation_running"
    category = Category.CONFLICT


class ImagesNotDeletedError(AppError):
    """Storage kept images that were to be deleted; the server goes on trying."""

    code = "internal_error"
    category = Category.INTERNAL


class ModelNotAllowedError(AppError):
    """The key or organization may not use this model."""

    code = "model_not_allowed"
    category = Category.PERMISSION


class TestKeysDisabledError(AppError):
    """A test key was used where no sandbox is configured."""

    code = "test_keys_disabled"
    category = Category.PERMISSION
    __test__: ClassVar[bool] = False


class RateLimitExceededError(AppError):
    """The organization or key has its limit of requests or images per minute.

    Attributes:
        can_ever_pass: False if the request alone is more than the limit.
    """

    code = "rate_limit_exceeded"
    category = Category.RATE_LIMIT
    retryable = True

    def __init__(
        self, message: str, *, retry_after_s: int = 60, can_ever_pass: bool = True
    ) -> None:
        super().__init__(message, retry_after_s=retry_after_s)
        self.can_ever_pass = can_ever_pass


class ConcurrencyExceededError(AppError):
    """The organization or key has its limit of jobs in flight."""

    code = "concurrency_exceeded"
    category = Category.RATE_LIMIT
    retryable = True


class ProviderUnavailableError(AppError):
    """No route could produce the image; nothing was charged."""

    code = "provider_unavailable"
    category = Category.UNAVAILABLE
    retryable = True


class GenerationTimeoutError(AppError):
    """The deadline of the model passed; nothing was charged."""

    code = "generation_timeout"
    category = Category.UNAVAILABLE


class LoopDetectedError(AppError):
    """The request came from a Lienzo gateway: an upstream points back here."""

    code = "loop_detected"
    category = Category.LOOP
