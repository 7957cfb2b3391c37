"""What can go wrong with object storage, and the one place that reads botocore's errors."""

from collections.abc import Iterator
from contextlib import contextmanager

from botocore.exceptions import BotoCoreError, ClientError

_NOT_FOUND_CODES = frozenset({"404", "NoSuchKey", "NotFound"})
_CHECKSUM_CODES = frozenset({"BadDigest", "InvalidDigest", "XAmzContentChecksumMismatch"})
_RETRYABLE_CODES = frozenset({"RequestTimeout", "SlowDown", "Throttling", "ThrottlingException"})
_NOT_MODIFIED, _CONFLICT, _PRECONDITION_FAILED, _RANGE, _TOO_MANY, _SERVER = (
    304,
    409,
    412,
    416,
    429,
    500,
)


class StorageError(Exception):
    """The storage refused the call in a way that a retry will not change."""


class StorageUnavailableError(StorageError):
    """The storage cannot be reached, timed out, is overloaded or broken: a retry may succeed."""


class ObjectNotFoundError(StorageError):
    """No object has this key."""


class ObjectExistsError(StorageError):
    """An object with this key exists already, or is being written."""


class ChecksumMismatchError(StorageError):
    """The bytes that arrived are not those the checksum was made of; nothing was stored."""


class NotModifiedError(StorageError):
    """The caller has this version of the object already.

    Attributes:
        etag: Quoted entity tag of the object, empty where the server does not say.
    """

    def __init__(self, etag: str) -> None:
        super().__init__("not modified")
        self.etag = etag


class RangeNotSatisfiableError(StorageError):
    """The asked-for bytes lie outside the object.

    Attributes:
        content_range: The server's header, e.g. `bytes */1048576`; may be empty.
    """

    def __init__(self, content_range: str) -> None:
        super().__init__("range not satisfiable")
        self.content_range = content_range


@contextmanager
def translated_errors() -> Iterator[None]:
    """Raise a `StorageError` for every failure of boto3 inside the block."""
    try:
        yield
    except ClientError as error:
        raise _translate(error) from error
    except BotoCoreError as error:
        raise StorageUnavailableError(type(error).__name__) from error


def _translate(error: ClientError) -> StorageError:
    code = str(error.response.get("Error", {}).get("Code", ""))
    metadata = error.response.get("ResponseMetadata")
    status = metadata["HTTPStatusCode"] if metadata else 0
    headers = metadata["HTTPHeaders"] if metadata else {}
    result = StorageError(f"{status} {code}")
    if code in _NOT_FOUND_CODES:
        result = ObjectNotFoundError(code)
    elif code in _CHECKSUM_CODES:
        result = ChecksumMismatchError(code)
    elif status == _NOT_MODIFIED:
        result = NotModifiedError(headers.get("etag", ""))
    elif status == _RANGE:
        result = RangeNotSatisfiableError(headers.get("content-range", ""))
    elif status in {_CONFLICT, _PRECONDITION_FAILED}:
        result = ObjectExistsError(code)
    elif status in {0, _TOO_MANY} or status >= _SERVER or code in _RETRYABLE_CODES:
        result = StorageUnavailableError(code)
    return result
