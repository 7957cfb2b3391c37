"""Failures of fal's queue and of its models.

Source: fal's documentation and official clients, read 2026-11-21.
"""

from collections.abc import Mapping
from decimal import Decimal, InvalidOperation

from gateway.providers.errors import (
    BadCredentials,
    BadResponse,
    ContentRefused,
    ModelForbidden,
    ModelRetired,
    OutOfFunds,
    ProviderError,
    ProviderRejected,
    ProviderTimedOut,
    ProviderUnavailable,
    RateLimited,
)
from gateway.providers.wire import retry_after_s, text

REFUSAL = "content_policy_violation"
# The time we gave the job to start (`X-Fal-Request-Timeout`) has passed: it never ran.
_TOO_LATE = frozenset({"request_timeout", "startup_timeout"})
_TRANSIENT = frozenset(
    {"downstream_service_error", "downstream_service_unavailable", "internal_server_error"}
)


def billable_units(headers: Mapping[str, str]) -> Decimal | None:
    """Return what fal bills, in the model's unit; None if it does not say or says nonsense."""
    try:
        units = Decimal(headers.get("x-fal-billable-units", ""))
    except InvalidOperation:
        return None
    return units if units.is_finite() and units >= 0 else None


def classify(
    status: int,
    headers: Mapping[str, str],
    payload: Mapping[str, object],
    *,
    submitted: bool,
) -> ProviderError:
    """Return the error that a failed answer means.

    Args:
        status: HTTP status of the answer.
        headers: Of the answer.
        payload: The JSON body, {} where it was none.
        submitted: The job had been accepted, so it may have run: fal never bills a 5xx, nor a 4xx
            that it marks with 0 units; another 4xx of a run may be billed.
    """
    kind, message, param = _read(status, headers, payload)
    found = _by_kind(kind, message, headers) or _by_status(status, headers, message, param)
    found.upstream_status = status
    found.upstream_code = kind or None
    found.upstream_request_id = headers.get("x-fal-request-id")
    if submitted:
        found.processed = found.processed or _may_be_billed(status, headers)
    else:
        # Whether a submit that broke inside the platform left a job behind cannot be known.
        found.processed = status >= 500 and kind not in _TOO_LATE  # noqa: PLR2004
    return found


def _may_be_billed(status: int, headers: Mapping[str, str]) -> bool:
    return status < 500 and billable_units(headers) != 0  # noqa: PLR2004


def _read(
    status: int, headers: Mapping[str, str], payload: Mapping[str, object]
) -> tuple[str, str, str | None]:
    """Return a failure's type, message and parameter, from a model's list or a platform's text."""
    kind = text(payload.get("error_type")) or headers.get("x-fal-error-type", "")
    detail = payload.get("detail")
    if isinstance(detail, list):
        items = [item for item in detail if isinstance(item, dict)]
        refusals = [item for item in items if item.get("type") == REFUSAL]
        for item in (refusals or items)[:1]:
            where = item.get("loc")
            param = text(where[-1]) if isinstance(where, list) and where else ""
            return text(item.get("type")) or kind, text(item.get("msg")), param or None
    message = text(detail) or text(payload.get("error")) or f"the upstream answered {status}"
    return kind, message, None


def _by_kind(kind: str, message: str, headers: Mapping[str, str]) -> ProviderError | None:
    if kind == REFUSAL:
        return ContentRefused(message, code=REFUSAL)
    if kind == "no_media_generated":
        return BadResponse(message)
    if kind in _TOO_LATE and headers.get("x-fal-request-timeout-type", "user") == "user":
        return ProviderTimedOut(message)
    if kind in _TRANSIENT or headers.get("x-fal-retryable", "").lower() == "true":
        return ProviderUnavailable(message, retry_after_s=retry_after_s(headers))
    return None


def _by_status(
    status: int, headers: Mapping[str, str], message: str, param: str | None
) -> ProviderError:
    wait_s = retry_after_s(headers)
    match status:
        case 402 | 403 if status == 402 or "balance" in message.lower():  # noqa: PLR2004
            return OutOfFunds(message)
        case 401 | 403:
            return (BadCredentials if status == 401 else ModelForbidden)(message)  # noqa: PLR2004
        case 404 if "request" not in message.lower():
            return ModelRetired(message)
        case 429:
            return RateLimited(message, retry_after_s=wait_s)
        case 400 | 405 | 413 | 422:
            return ProviderRejected(message, param=param)
    return ProviderUnavailable(message, retry_after_s=wait_s)
