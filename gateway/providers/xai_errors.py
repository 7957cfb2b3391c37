"""Failures of xAI: the status says little, so the words decide.

An invalid key is a 400, an empty account a 403 or a 429, and a refused prompt a 400 or a 403.
Source: xAI's documentation and clients, and answers quoted in public issues, read 2026-11-21.
"""

import re
from collections.abc import Mapping
from decimal import Decimal

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

# `cost_in_usd_ticks` of the official client: a tick is 10^-10 dollars.
TICKS_PER_USD = Decimal(10_000_000_000)
_REFUSED = re.compile(
    r"content[ _-](?:policy|moderat)|usage guidelines|SAFETY_CHECK|moderation rules", re.IGNORECASE
)
_FUNDS = re.compile(r"\bcredits?\b|spending limit|\bbalance\b|\bbilling\b", re.IGNORECASE)
_KEY = re.compile(r"\bAPI key\b", re.IGNORECASE)
_GONE = re.compile(
    r"\bmodel\b.*\b(?:does not exist|not found|deprecated|retired)", re.IGNORECASE | re.DOTALL
)
_ARGUMENT = re.compile(r"Argument not supported[^:]*: *([A-Za-z_]+)")
_TRANSIENT = frozenset({408, 409, 425})
_REDIRECT = 300


def billed_usd(usage: object) -> Decimal | None:
    """Return what a usage block says the call costs, in USD; None if it does not say."""
    ticks = usage.get("cost_in_usd_ticks") if isinstance(usage, dict) else None
    if not isinstance(ticks, int) or isinstance(ticks, bool) or ticks < 0:
        return None
    return Decimal(ticks) / TICKS_PER_USD


def classify(
    status: int, headers: Mapping[str, str], payload: Mapping[str, object]
) -> ProviderError:
    """Return the error that a failed answer means.

    Args:
        status: HTTP status; 2xx where a success carries an error.
        headers: Of the answer.
        payload: The JSON body, {} where it was none. xAI's own form has `code` and `error` as
            texts; the other one is OpenAI's.
    """
    error = payload.get("error")
    fields = error if isinstance(error, dict) else {"message": error, "code": payload.get("code")}
    code = text(fields.get("code")) or text(fields.get("type"))
    message = text(fields.get("message")) or code or f"the upstream answered {status}"
    found = (
        _refusal(status, f"{code} {message}", message, payload.get("usage"))
        or _by_words(status, f"{code} {message}", message)
        or _by_status(status, headers, message, text(fields.get("param")))
    )
    found.upstream_status = status
    found.upstream_code = code or found.upstream_code
    return found


def _refusal(status: int, words: str, message: str, usage: object) -> ProviderError | None:
    if status not in {200, 400, 403, 422} or not _REFUSED.search(words):
        return None
    usd = billed_usd(usage)
    # An image that was made and then kept is billed, and says so.
    processed = status < _REDIRECT if usd is None else usd > 0
    return ContentRefused(message, code="content_policy_violation", processed=processed)


def _by_words(status: int, words: str, message: str) -> ProviderError | None:
    if status in {403, 429} and _FUNDS.search(words):
        return OutOfFunds(message)
    if status == 400 and _KEY.search(words):  # noqa: PLR2004
        return BadCredentials(message)
    if status == 400 and _GONE.search(words):  # noqa: PLR2004
        return ModelRetired(message)
    return None


def _by_status(status: int, headers: Mapping[str, str], message: str, param: str) -> ProviderError:
    wait_s = retry_after_s(headers)
    match status:
        case 401 | 403:
            return (BadCredentials if status == 401 else ModelForbidden)(message)  # noqa: PLR2004
        case 402:
            return OutOfFunds(message)
        case 404:
            return ModelRetired(message)
        case 429:
            return RateLimited(message, retry_after_s=wait_s)
        case 400 | 405 | 413 | 415 | 422:
            named = _ARGUMENT.search(message)
            return ProviderRejected(message, param=param or (named[1] if named else None))
    # A redirect, or an error in a success: not what this protocol answers.
    broken = status >= 500 or status in _TRANSIENT or status < _REDIRECT  # noqa: PLR2004
    return ProviderUnavailable(message, retry_after_s=wait_s, processed=broken)
