"""Failures of Ideogram's API: the status decides, `error` is a sentence.

Source: Ideogram's OpenAPI description, read 2026-11-21. It has no status for an empty account: 402,
and 403 that speaks of credits, are taken for it.
"""

import re
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
_SAFETY = re.compile(r"safety|moderat|policy|unsafe|inappropriate", re.IGNORECASE)
_FUNDS = re.compile(r"credit|balance|fund|billing|payment|quota", re.IGNORECASE)
_TRANSIENT = frozenset({408, 409, 425})
_KINDS: Mapping[int, type[ProviderError]] = {
    400: ProviderRejected,
    401: BadCredentials,
    402: OutOfFunds,
    403: BadCredentials,
    404: ModelRetired,
    405: ProviderRejected,
    410: ModelRetired,
    413: ProviderRejected,
    415: ProviderRejected,
    422: ProviderRejected,
}


def classify(
    status: int, headers: Mapping[str, str], payload: Mapping[str, object]
) -> ProviderError:
    """Return the error that a failed answer means.

    Args:
        status: HTTP status, not a 2xx.
        headers: Of the answer.
        payload: The JSON body, {} where it was none.
    """
    said = text(payload.get("error")) or text(payload.get("message"))
    found = _by_status(status, headers, said)
    found.upstream_status = status
    return found


def _by_status(status: int, headers: Mapping[str, str], said: str) -> ProviderError:
    message = said or f"the upstream answered {status}"
    # Documented for safety alone, so one that says nothing is a refusal; prompts are checked before
    # anything is drawn.
    if status == 422 and (not said or _SAFETY.search(said)):  # noqa: PLR2004
        return ContentRefused(message, code=REFUSAL)
    if status == 403 and _FUNDS.search(said):  # noqa: PLR2004
        return OutOfFunds(message)
    if status in _KINDS:
        return _KINDS[status](message)
    wait_s = retry_after_s(headers)
    if status == 429:  # noqa: PLR2004
        return RateLimited(message, retry_after_s=wait_s)
    may_be_done = status >= 500 or status in _TRANSIENT  # noqa: PLR2004
    return ProviderUnavailable(message, retry_after_s=wait_s, processed=may_be_done)
