"""How an outbound HTTP call can fail, and whether the other side may have acted on it."""
# ruff: noqa: N818 - the names say what happened; "Error" would add nothing

import errno
from typing import ClassVar


class HttpError(Exception):
    """An outbound call failed.

    Attributes:
        processed: False only where the request was certainly not received as a whole.
    """

    default_processed: ClassVar[bool] = False

    def __init__(self, message: str, *, processed: bool | None = None) -> None:
        super().__init__(message)
        self.processed = self.default_processed if processed is None else processed


class InvalidTarget(HttpError):
    """The URL or a header cannot be used: no host, not http or https, a user name inside."""


class TargetRefused(HttpError):
    """The host has no address that may be connected to."""


class TooManyRedirects(HttpError):
    """A download was redirected more often than allowed."""


class ConnectFailed(HttpError):
    """No connection, or it broke before the request was sent in full."""


class OutOfFiles(ConnectFailed):
    """This process, or its machine, may open no more files: the other side was not asked."""


class ReadFailed(HttpError):
    """The connection broke after the request was sent, or the answer is not HTTP."""

    default_processed = True


class TimedOut(HttpError):
    """The call's deadline has passed; `processed` tells if the request had been sent by then."""

    default_processed = True


class BodyTooLarge(HttpError):
    """The answer's body is longer than the limit; it was not read to its end."""

    default_processed = True


class BodyInvalid(HttpError):
    """The answer's body is not what it must be: JSON, base64, a data URI."""

    default_processed = True


class UploadFailed(HttpError):
    """What was to be sent could not be read, so that the request was never whole."""


def connect_failed(message: str, cause: BaseException | None) -> ConnectFailed:
    """Return the failure of a connection, `OutOfFiles` if that is what lies below it."""
    below = cause
    while below is not None:
        if isinstance(below, OSError) and below.errno in {errno.EMFILE, errno.ENFILE}:
            return OutOfFiles(message)
        below = below.__cause__ or below.__context__
    return ConnectFailed(message)
