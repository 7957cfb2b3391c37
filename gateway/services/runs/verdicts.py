"""What follows a failed attempt: the same route again, the next route, or a clear failure."""

import random
from dataclasses import dataclass, replace
from datetime import datetime
from decimal import Decimal
from math import ceil
from typing import Final

from core.clock import now
from gateway.providers.errors import (
    BadCredentials,
    BadResponse,
    ContentRefused,
    InputUnavailable,
    ModelForbidden,
    ModelRetired,
    OutOfFunds,
    ProviderError,
    ProviderRejected,
    ProviderTimedOut,
    ProviderUnavailable,
    RateLimited,
    RetryableError,
)
from gateway.services.runs.endings import TIMEOUT
from gateway.services.runs.progress import WITHHELD
from gateway.types import Failure

MAX_TRIES_PER_ROUTE: Final = 3
FIRST_PAUSE_S: Final = 0.5
SERVER_ERROR: Final = 500
MAX_RETRY_AFTER_S: Final = 60
# Time a repeated call needs at least to be worth making before the deadline.
LEAST_USEFUL_S: Final = 5.0
PUBLIC_PARAMETERS: Final = frozenset(
    {"prompt", "size", "quality", "style", "background", "moderation", "output_format", "seed"}
)


@dataclass(frozen=True, slots=True)
class Again:
    """Call the same route again after a pause in seconds."""

    after_s: float


@dataclass(frozen=True, slots=True)
class NextRoute:
    """Take the next route; where there is none, fail with `otherwise`."""

    otherwise: Failure


@dataclass(frozen=True, slots=True)
class GiveUp:
    """Fail the generation."""

    failure: Failure


Verdict = Again | NextRoute | GiveUp


@dataclass(frozen=True, slots=True)
class Situation:
    """What a verdict depends on beside the error.

    Attributes:
        tries: Calls made on this route, the failed one included.
        remaining_s: Seconds until the deadline.
        affordable: Whether one more call keeps the presumed costs of all attempts in the quote.
    """

    tries: int
    remaining_s: float
    affordable: bool


def presumed_cost(error: ProviderError, full_cost: Decimal) -> Decimal:
    """Return what a failed call is presumed to cost us, in USD.

    OpenAI and fal do not bill 5xx answers (their fact sheets, read 2026-11-21); a call whose answer
    never came, or was unusable, is presumed billed in full.
    """
    answered_5xx = error.upstream_status is not None and error.upstream_status >= SERVER_ERROR
    return full_cost if error.processed and not answered_5xx else Decimal(0)


def judge(error: ProviderError, situation: Situation) -> Verdict:
    """Decide what follows a failed call."""
    match error:
        case ContentRefused():
            return GiveUp(_refused(error))
        case ProviderRejected():
            return GiveUp(_rejected(error))
        case ProviderTimedOut():
            return _after_silence(error, situation)
        case ModelRetired() | ModelForbidden() | BadCredentials() | OutOfFunds():
            return NextRoute(otherwise=unavailable(None))
        case RateLimited() | ProviderUnavailable() | BadResponse() | InputUnavailable():
            return _retry(error, situation)
        case _:
            return NextRoute(otherwise=unavailable(None))


def _after_silence(error: ProviderTimedOut, situation: Situation) -> Verdict:
    """Before the deadline it is the provider's own time that is up."""
    if situation.remaining_s < LEAST_USEFUL_S:
        return GiveUp(TIMEOUT)
    return NextRoute(otherwise=unavailable(error))


def _retry(error: ProviderError, situation: Situation) -> Verdict:
    advised = error.retry_after_s if isinstance(error, RetryableError) else None
    pause = advised
    if pause is None:
        pause = FIRST_PAUSE_S * 2 ** (situation.tries - 1) * random.uniform(0.5, 1.0)  # noqa: S311
    if (
        situation.tries < MAX_TRIES_PER_ROUTE
        and situation.affordable
        and pause + LEAST_USEFUL_S <= situation.remaining_s
    ):
        return Again(after_s=pause)
    return NextRoute(otherwise=unavailable(error))


def _refused(error: ContentRefused) -> Failure:
    return replace(WITHHELD, code=error.code, details=dict(error.details))


def _rejected(error: ProviderRejected) -> Failure:
    param = error.param if error.param in PUBLIC_PARAMETERS else "prompt"
    return Failure(
        code="invalid_value",
        category="invalid_request",
        message=f"The provider does not accept this request: {error.message} You were not charged.",
        retryable=False,
        param=param,
    )


def closed_until(retry_at: datetime | None) -> Failure:
    """Return the failure of a generation whose provider is not called at present."""
    wait_s = 0.0 if retry_at is None else (retry_at - now()).total_seconds()
    return Failure(
        code="provider_unavailable",
        category="unavailable",
        message="The provider is failing at present. You were not charged. Try again shortly.",
        retryable=True,
        retry_after_s=max(1, min(ceil(wait_s), MAX_RETRY_AFTER_S)),
    )


def unavailable(error: ProviderError | None) -> Failure:
    """Return the failure of a generation whose provider cannot serve it now."""
    advised = error.retry_after_s if isinstance(error, RetryableError) else None
    what = "could not serve the request"
    if isinstance(error, BadResponse):
        what = "returned no usable image"
    elif isinstance(error, RateLimited):
        what = "is at its rate limit"
    elif isinstance(error, ProviderTimedOut):
        what = "did not answer in time"
    return Failure(
        code="provider_unavailable",
        category="unavailable",
        message=f"The provider {what}. You were not charged. Try again shortly.",
        retryable=True,
        retry_after_s=max(1, min(round(advised or 5), MAX_RETRY_AFTER_S)),
    )
