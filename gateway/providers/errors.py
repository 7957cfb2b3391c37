"""How a call to a provider can fail.

Adapters raise these alone; the runner decides from the class, and from `processed`, whether to try
again, to take another route, or to fail the generation. None of them is shown to a customer as it
stands.
"""
# ruff: noqa: N818 - the names say what happened; "Error" would add nothing

import re
from collections.abc import Mapping
from typing import Final, TypedDict, Unpack

_WORD: Final = re.compile(r"[A-Za-z0-9_.:\-]{1,64}")


class Facts(TypedDict, total=False):
    """What is known of a failed call; the attributes of `ProviderError` of the same names."""

    upstream_status: int | None
    upstream_code: str | None
    upstream_request_id: str | None
    processed: bool


class ProviderError(Exception):
    """A call to a provider did not give images.

    Attributes:
        message: The upstream's text or ours, never longer than 500 characters; may hold parts of
            the prompt, so it is kept with the attempt and not written to logs.
        upstream_status: HTTP status the upstream answered with, if it answered.
        upstream_code: The upstream's own word for the failure, if it gave one.
        upstream_request_id: What the upstream calls this request, for its support desk.
        processed: The upstream may have done the work, and may charge for it. False only where that
            is ruled out.
    """

    def __init__(self, message: str, **facts: Unpack[Facts]) -> None:
        text = message[:500]
        super().__init__(text)
        self.message = text
        self.upstream_status = facts.get("upstream_status")
        self.upstream_code = facts.get("upstream_code")
        self.upstream_request_id = facts.get("upstream_request_id")
        self.processed = facts.get("processed", False)

    @property
    def loggable_code(self) -> str | None:
        """Return the upstream's word where it is one word: a text could repeat the prompt."""
        code = self.upstream_code or ""
        return code if _WORD.fullmatch(code) else None


class ProviderRejected(ProviderError):
    """The upstream found a parameter wrong; `param` is its name in the upstream's protocol."""

    def __init__(self, message: str, *, param: str | None = None, **facts: Unpack[Facts]) -> None:
        super().__init__(message, **facts)
        self.param = param


class ContentRefused(ProviderError):
    """The upstream's safety system refused: never repeated, never taken to another provider.

    Attributes:
        code: `moderation_blocked` or `content_policy_violation`.
        details: Further fields for the caller, e.g. `{"moderation_details": {...}}`.
    """

    def __init__(
        self,
        message: str,
        *,
        code: str,
        details: Mapping[str, object] | None = None,
        **facts: Unpack[Facts],
    ) -> None:
        super().__init__(message, **facts)
        self.upstream_code = self.upstream_code or code
        self.code = code
        self.details: Mapping[str, object] = details or {}


class RetryableError(ProviderError):
    """A failure that time may heal; `retry_after_s` is the upstream's own advice in seconds."""

    def __init__(
        self, message: str, *, retry_after_s: float | None = None, **facts: Unpack[Facts]
    ) -> None:
        super().__init__(message, **facts)
        self.retry_after_s = retry_after_s


class RateLimited(RetryableError):
    """The upstream takes no more calls for now; nothing was done."""


class ProviderUnavailable(RetryableError):
    """The upstream is down or broken: no connection, a cut connection, or a 5xx."""


class OutOfFiles(ProviderUnavailable):
    """This process may open no more files: our own fault, the upstream was not asked."""


class InputUnavailable(ProviderError):
    """An image to be sent along could not be read from storage; the upstream got nothing whole."""


class OutOfFunds(ProviderError):
    """Our account at the upstream has no money left: an operator must act."""


class BadCredentials(ProviderError):
    """The upstream does not accept our key: an operator must act."""


class ModelForbidden(ProviderError):
    """Our key is good, but may not use this model: an operator must act; the next route may serve.

    Other models of the upstream are not affected, so a caller cannot stop them by asking for one.
    """


class ModelRetired(ProviderError):
    """The upstream does not (or no longer) serve this model; the next route may."""


class ProviderTimedOut(ProviderError):
    """The deadline came before the images did; the upstream may still finish the work."""


class BadResponse(ProviderError):
    """The upstream answered, but not with usable images: empty, undecodable, too large."""
