"""Failures of Stability AI's REST API, in the bodies of v1 and of v2beta.

Source: platform.stability.ai's reference, read 2026-11-21. A failed generation is not charged.
"""

from collections.abc import Mapping

from gateway.providers.errors import (
    BadCredentials,
    ContentRefused,
    ModelRetired,
    OutOfFunds,
    ProviderError,
    ProviderRejected,
    ProviderUnavailable,
    RateLimited,
)
from gateway.providers.wire import retry_after_s, text

REFUSAL = "content_policy_violation"
# `invalid_prompts` is v1's word for a prompt that its filter stopped.
_REFUSALS = frozenset({"content_moderation", "invalid_prompts"})
# More than 150 requests in 10 s are answered with a time-out of 60 s.
_TIME_OUT_S = 60.0
_SERVER_ERROR = 500


def classify(
    status: int, headers: Mapping[str, str], payload: Mapping[str, object]
) -> ProviderError:
    """Return the error that a failed answer means.

    Args:
        status: HTTP status of the answer.
        headers: Of the answer.
        payload: The JSON body, {} where it was none.
    """
    name = text(payload.get("name"))
    message = _message(payload) or f"the upstream answered {status}"
    found = _refusal(name, message) or _by_status(status, headers, message)
    found.upstream_status = status
    found.upstream_code = name or found.upstream_code
    found.upstream_request_id = headers.get("x-request-id") or text(payload.get("id")) or None
    found.processed = status >= _SERVER_ERROR
    return found


def _refusal(name: str, message: str) -> ProviderError | None:
    return ContentRefused(message, code=REFUSAL) if name in _REFUSALS else None


def _by_status(status: int, headers: Mapping[str, str], message: str) -> ProviderError:
    wait_s = retry_after_s(headers)
    match status:
        case 402:
            return OutOfFunds(message)
        case 401 | 403:
            return BadCredentials(message)
        case 404:
            return ModelRetired(message)
        case 429:
            return RateLimited(message, retry_after_s=_TIME_OUT_S if wait_s is None else wait_s)
        case 400 | 405 | 406 | 413 | 415 | 422:
            return ProviderRejected(message, param=_param(message))
    return ProviderUnavailable(message, retry_after_s=wait_s)


def _message(payload: Mapping[str, object]) -> str:
    problems = payload.get("errors")
    if isinstance(problems, list):
        return "; ".join(filter(None, map(text, problems)))
    return text(payload.get("message"))


def _param(message: str) -> str | None:
    """Return the field a message begins with, as in `some-field: is required`."""
    field, colon, _ = message.partition(":")
    return field if colon and field.replace("-", "").replace("_", "").isalnum() else None
