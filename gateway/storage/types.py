"""What storage calls return."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from types import TracebackType
from typing import Self

from botocore.response import StreamingBody

from gateway.storage.errors import translated_errors


@dataclass(frozen=True, slots=True)
class Stored:
    """One image that is in storage and readable.

    Attributes:
        sha256: Lower-case hex digest of the bytes that are stored.
        existed: The key was taken, and this describes the object found there, which may differ
            from the one offered.
    """

    key: str
    sha256: str
    size: int
    existed: bool


@dataclass(frozen=True, slots=True)
class StoredObject:
    """One line of a listing."""

    key: str
    size: int
    last_modified: datetime


@dataclass(frozen=True, slots=True)
class ObjectInfo:
    """What is known of an object without its bytes.

    Attributes:
        size: Bytes of the whole object, or of the range that was asked for.
        etag: Entity tag with its quotes.
        sha256: Lower-case hex digest, None where the server keeps none or was not asked.
        content_range: Header of a partial answer, e.g. `bytes 0-99/1048576`.
    """

    size: int
    etag: str
    last_modified: datetime
    content_type: str
    cache_control: str
    sha256: str | None = None
    content_range: str | None = None


class ObjectStream:
    """The bytes of one object, read in chunks with constant memory.

    Iterate it once; `close` it if it may not be read to its end, or use it as a context manager.

    Attributes:
        info: What the answer's headers say; `info.size` bytes follow.
    """

    def __init__(self, info: ObjectInfo, body: StreamingBody, chunk_bytes: int) -> None:
        self.info = info
        self._body = body
        self._chunk_bytes = chunk_bytes

    def __len__(self) -> int:
        return self.info.size

    def __iter__(self) -> Iterator[bytes]:
        """Yield the chunks.

        Raises:
            StorageUnavailableError: The connection broke before the last byte.
        """
        try:
            while True:
                with translated_errors():
                    chunk = self._body.read(self._chunk_bytes)
                if not chunk:
                    return
                yield chunk
        finally:
            self.close()

    def close(self) -> None:
        """Give the connection up; it is reused only if everything was read."""
        self._body.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()
