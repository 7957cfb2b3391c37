"""Failures of Black Forest Labs: of a submit or a poll by status, of a task by its word.

Source: docs.bfl.ai and help.bfl.ai, read 2026-11-21. Only a task that is Ready is charged, so none
that ended otherwise counts as processed, not even one whose image was drawn and withheld.
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

_REFUSALS = frozenset({"Request Moderated", "Content Moderated"})
_FAILURES = frozenset({"Error", "Failed"})
_REASONS_SHOWN = 10


def classify(
    status: int, headers: Mapping[str, str], payload: Mapping[str, object], *, submitted: bool
) -> ProviderError:
    """Return the error that a failed answer means.

    Args:
        status: HTTP status of the answer.
        headers: Of the answer.
        payload: The JSON body, {} where it was none.
        submitted: The task had been accepted, so it may run, and be charged.
    """
    message, code, param = _read(status, payload)
    found = _by_status(status, headers, message, param)
    found.upstream_status = status
    found.upstream_code = code or None
    # Whether a submit that broke inside the platform left a task behind cannot be known.
    found.processed = submitted or status >= 500  # noqa: PLR2004
    return found


def of_task(state: Mapping[str, object]) -> ProviderError | None:
    """Return how a task has failed, by its state; None if it has not.

    A word that is not known may be one of waiting: to go on asking loses nothing but time.
    """
    word = text(state.get("status"))
    if word in _REFUSALS:
        return ContentRefused(
            _reasons(state) or f"the upstream answered {word}",
            code="content_policy_violation",
            upstream_code=word,
            upstream_status=200,
        )
    if word in _FAILURES:
        return ProviderUnavailable(
            f"the task ended as {word}", upstream_code=word, upstream_status=200
        )
    return None


def _reasons(state: Mapping[str, object]) -> str:
    details = state.get("details")
    reasons = details.get("Moderation Reasons") if isinstance(details, dict) else None
    if not isinstance(reasons, list):
        return text(reasons)
    return ", ".join(filter(None, map(text, reasons[:_REASONS_SHOWN])))


def _read(status: int, payload: Mapping[str, object]) -> tuple[str, str, str | None]:
    """Return a failure's message, code and parameter: `detail` is a text, or a list of problems."""
    detail = payload.get("detail")
    if isinstance(detail, list):
        for item in detail:
            if isinstance(item, dict):
                where = item.get("loc")
                param = text(where[-1]) if isinstance(where, list) and where else ""
                return text(item.get("msg")), text(item.get("type")), param or None
    return text(detail) or f"the upstream answered {status}", "", None


def _by_status(
    status: int, headers: Mapping[str, str], message: str, param: str | None
) -> ProviderError:
    match status:
        case 402:
            return OutOfFunds(message)
        case 401 | 403:
            return BadCredentials(message)
        case 404:
            return ModelRetired(message)
        case 429:
            # Too many tasks at once (24, or 6 of kontext-max), not too many calls.
            return RateLimited(message, retry_after_s=retry_after_s(headers))
        case 400 | 405 | 413 | 422:
            return ProviderRejected(message, param=param)
    return ProviderUnavailable(message, retry_after_s=retry_after_s(headers))
