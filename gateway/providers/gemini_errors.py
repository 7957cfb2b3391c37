"""Failures of Google's APIs: the HTTP status, `error.status` and the details decide together.

Source: google.rpc's error model, Google's API references and quoted answers, read 2026-11-21.
"""

import re
from collections.abc import Iterator, Mapping
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

REFUSAL = "content_policy_violation"
_REFUSED = re.compile(
    r"\bsupport codes?:|prompt could not be submitted|\bresponsible AI\b|prohibited use policy",
    re.IGNORECASE,
)
_BAD_KEY = re.compile(r"\bAPI key (not valid|not found|expired)", re.IGNORECASE)
# "Imagen API is only accessible to billed users", "This API method requires billing to be enabled".
_UNBILLED = re.compile(r"\bbill(ed|ing)\b", re.IGNORECASE)
_SPENT = re.compile(r"\bcredits are depleted|\bspend(ing)? (cap|limit)\b", re.IGNORECASE)
_ELSEWHERE = re.compile(r"\b(location|region|country)\b", re.IGNORECASE)
_GONE = re.compile(
    r"\bmodels?\b.*\b(not found|no longer|does not exist|deprecated|retired|shut down)",
    re.IGNORECASE,
)
_DURATION = re.compile(r"(\d{1,6}(?:\.\d{1,9})?)s")
_TRANSIENT = frozenset({408, 409, 425, 499})
_CALLER_ERRORS = frozenset({400, 403})


@dataclass(frozen=True, slots=True)
class Failure:
    """One failed answer, read.

    Attributes:
        kind: The canonical status, e.g. `INVALID_ARGUMENT`; "" if the answer names none.
        reason: Of its ErrorInfo, e.g. `API_KEY_INVALID`.
        param: The first field that a BadRequest names.
        retry_s: Of its RetryInfo, else of the headers.
    """

    status: int
    is_described: bool
    kind: str
    reason: str
    message: str
    param: str | None
    retry_s: float | None


def classify(
    status: int, headers: Mapping[str, str], payload: Mapping[str, object]
) -> ProviderError:
    """Return the error that a failed answer means.

    Args:
        status: HTTP status; 2xx where a success carries an `error` object.
        headers: Of the answer.
        payload: The JSON body, {} where it was none.
    """
    failure = _read(status, headers, payload)
    found = _by_content(failure) or _by_status(failure)
    found.upstream_status = status
    found.upstream_code = failure.reason or failure.kind or found.upstream_code
    return found


def _read(status: int, headers: Mapping[str, str], payload: Mapping[str, object]) -> Failure:
    given = payload.get("error")
    error: Mapping[str, object] = given if isinstance(given, dict) else {}
    code = error.get("code")
    if status < 300 and isinstance(code, int):  # noqa: PLR2004
        status = code
    details = list(_details(error))
    return Failure(
        status=status,
        is_described=bool(error),
        kind=text(error.get("status")),
        reason=next((text(item["reason"]) for item in details if item.get("reason")), ""),
        message=text(error.get("message")) or f"the upstream answered {status}",
        param=next(_fields(details), None),
        retry_s=next(_delays(details), retry_after_s(headers)),
    )


def _details(error: Mapping[str, object]) -> Iterator[Mapping[str, object]]:
    details = error.get("details")
    if isinstance(details, list):
        yield from (item for item in details if isinstance(item, dict))


def _fields(details: list[Mapping[str, object]]) -> Iterator[str]:
    for item in details:
        violations = item.get("fieldViolations")
        for violation in violations if isinstance(violations, list) else []:
            if isinstance(violation, dict) and violation.get("field"):
                yield text(violation["field"])


def _delays(details: list[Mapping[str, object]]) -> Iterator[float]:
    """Read what RetryInfo says, e.g. `"retryDelay": "34.07s"`."""
    for item in details:
        match = _DURATION.fullmatch(text(item.get("retryDelay")))
        if match:
            yield float(match[1])


def _by_content(failure: Failure) -> ProviderError | None:
    message = failure.message
    if failure.status in _CALLER_ERRORS and _REFUSED.search(message):
        # Imagen's filter of prompts: nothing was drawn.
        return ContentRefused(message, code=REFUSAL)
    if _is_unfunded(failure):
        return OutOfFunds(message)
    if _is_unauthorized(failure):
        return BadCredentials(message)
    if failure.status == 403:  # noqa: PLR2004
        return ModelForbidden(message)
    return ModelRetired(message) if _is_model_gone(failure) else None


def _is_unfunded(failure: Failure) -> bool:
    if failure.status == 402 or _SPENT.search(failure.message):  # noqa: PLR2004
        return True
    # Of a 429, "check your plan and billing details" is part of every message.
    if failure.status not in _CALLER_ERRORS:
        return False
    return (
        failure.reason == "BILLING_DISABLED"
        or _UNBILLED.search(failure.message) is not None
        # Of an account: its billing, or where it calls from.
        or (failure.kind == "FAILED_PRECONDITION" and not _ELSEWHERE.search(failure.message))
    )


def _is_unauthorized(failure: Failure) -> bool:
    return failure.status == 401 or (  # noqa: PLR2004
        failure.status == 400  # noqa: PLR2004
        and (
            failure.reason == "API_KEY_INVALID"
            or failure.kind == "FAILED_PRECONDITION"
            or _BAD_KEY.search(failure.message) is not None
        )
    )


def _is_model_gone(failure: Failure) -> bool:
    if failure.status == 404:  # noqa: PLR2004
        return failure.is_described
    is_about_a_field = failure.status != 400 or failure.param is not None  # noqa: PLR2004
    return not is_about_a_field and _GONE.search(failure.message) is not None


def _by_status(failure: Failure) -> ProviderError:
    status, message = failure.status, failure.message
    if status == 429:  # noqa: PLR2004
        return RateLimited(message, retry_after_s=failure.retry_s)
    if status >= 500 or status in _TRANSIENT:  # noqa: PLR2004
        return ProviderUnavailable(message, retry_after_s=failure.retry_s, processed=True)
    if status >= 400 and failure.is_described:  # noqa: PLR2004
        return ProviderRejected(message, param=failure.param)
    # An error object on a 2xx, a redirect, or a page without one: not what this protocol answers.
    return ProviderUnavailable(message, processed=status < 300)  # noqa: PLR2004
