"""A stored object as something to send on."""

from collections.abc import Iterator
from dataclasses import dataclass

from core.http.errors import UploadFailed
from gateway.storage.backend import ImageStorage
from gateway.storage.errors import StorageError


@dataclass(frozen=True, slots=True)
class ObjectSource:
    """An object, read while it is sent; see `core.http.uploads.Source`."""

    storage: ImageStorage
    key: str
    size: int

    def chunks(self) -> Iterator[bytes]:
        """Read it from its beginning, in chunks of 48 KiB.

        Raises:
            UploadFailed: It cannot be read, or is gone.
        """
        try:
            with self.storage.open_stream(self.key) as stream:
                yield from stream
        except StorageError as error:
            raise UploadFailed(f"an image to send along: {type(error).__name__}") from error
