"""Failures of the OpenAI protocol: `code` decides, `type` does not even tell a refusal.

Source: the official clients' types, the published API description and captured answers, read
    2026-11-21.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass

from gateway.providers.errors import (
    BadCredentials,
    ContentRefused,
    ModelForbidden,
    ModelRetired,
    OutOfFunds,
    ProviderError,
    ProviderRejected,
    ProviderUnavailable,
    RateLimited,
)
from gateway.providers.wire import retry_after_s, text

_REFUSALS = frozenset(
    {"moderation_blocked", "content_policy_violation", "image_content_policy_violation"}
)
_FUNDS = frozenset(
    {"insufficient_quota", "project_spend_limit_exceeded", "billing_hard_limit_reached"}
)
_CREDENTIALS = frozenset({"invalid_api_key", "unsupported_country_region_territory"})
_GONE = re.compile(
    r"\bmodel\b.*\b(does not exist|not found|deprecated|retired|decommissioned)", re.IGNORECASE
)
# The older form of a block has no details; its message ends with `safety_violations=[violence].`
_VIOLATIONS = re.compile(r"safety_violations=\[([\w/, -]*)\]")
_TRANSIENT = frozenset({408, 409, 425})
_ACCOUNT: Mapping[int, type[ProviderError]] = {
    401: BadCredentials,
    402: OutOfFunds,
    403: ModelForbidden,
}


@dataclass(frozen=True, slots=True)
class Failure:
    """One failed answer, read."""

    status: int
    headers: Mapping[str, str]
    error: Mapping[str, object]

    @property
    def code(self) -> str:
        """The code, or the type where some servers put it: never empty if either is given."""
        return text(self.error.get("code")) or text(self.error.get("type"))

    @property
    def message(self) -> str:
        """The upstream's words."""
        return text(self.error.get("message")) or f"the upstream answered {self.status}"


def classify(
    status: int, headers: Mapping[str, str], payload: Mapping[str, object]
) -> ProviderError:
    """Return the error that a failed answer means.

    Args:
        status: HTTP status; 2xx where a success carries an `error` object.
        headers: Of the answer.
        payload: The JSON body, {} where it was none.
    """
    error = payload.get("error")
    if isinstance(error, str):
        error = {"message": error}
    failure = Failure(status, headers, error if isinstance(error, dict) else {})
    found = _by_code(failure) or _by_status(failure)
    found.upstream_status = status
    found.upstream_code = text(failure.error.get("code")) or found.upstream_code
    return found


def _by_code(failure: Failure) -> ProviderError | None:
    code = failure.code
    if code in _REFUSALS:
        return _refusal(failure)
    if code in _FUNDS or text(failure.error.get("type")) == "insufficient_quota":
        return OutOfFunds(failure.message)
    if code == "rate_limit_exceeded":
        return RateLimited(failure.message, retry_after_s=retry_after_s(failure.headers))
    if _is_model_gone(failure):
        return ModelRetired(failure.message)
    if code in _CREDENTIALS:
        return BadCredentials(failure.message)
    return None


def _is_model_gone(failure: Failure) -> bool:
    if failure.code == "model_not_found":
        return True
    caller_error = failure.status < 500 and failure.status not in {401, 429}  # noqa: PLR2004
    if not caller_error:
        return False
    param = failure.error.get("param")
    return param == "model" or (not param and _GONE.search(failure.message) is not None)


def _refusal(failure: Failure) -> ContentRefused:
    code = (
        "moderation_blocked" if failure.code == "moderation_blocked" else "content_policy_violation"
    )
    details = failure.error.get("moderation_details")
    violations = _VIOLATIONS.search(failure.message)
    if not isinstance(details, dict) and violations is not None:
        categories = [name.strip() for name in violations[1].split(",") if name.strip()]
        details = {"moderation_stage": "unknown", "categories": categories}
    stage = details.get("moderation_stage") if isinstance(details, dict) else None
    return ContentRefused(
        failure.message,
        code=code,
        details={"moderation_details": details} if isinstance(details, dict) else None,
        # Blocked at the input, nothing was drawn; at the output it was, and reports on billing
        # differ.
        processed=code == "moderation_blocked" and stage != "input",
    )


def _by_status(failure: Failure) -> ProviderError:
    status = failure.status
    wait_s = retry_after_s(failure.headers)
    message = failure.message
    if status == 429:  # noqa: PLR2004
        return RateLimited(message, retry_after_s=wait_s)
    if status in _ACCOUNT:
        return _ACCOUNT[status](message)
    if status >= 500 or status in _TRANSIENT:  # noqa: PLR2004
        return ProviderUnavailable(message, retry_after_s=wait_s, processed=True)
    if failure.error and (status >= 400 or "invalid" in text(failure.error.get("type"))):  # noqa: PLR2004
        return ProviderRejected(message, param=text(failure.error.get("param")) or None)
    # An error object on a 2xx, a redirect, or a page without one: not what this protocol answers.
    return ProviderUnavailable(message, processed=status < 300)  # noqa: PLR2004
