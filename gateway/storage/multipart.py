"""Storing what is made as it goes, in parts, with one part in memory."""

from typing import TYPE_CHECKING, Final

from gateway.storage.backend import ImageStorage
from gateway.storage.errors import translated_errors

if TYPE_CHECKING:  # the stubs are no dependency of the running program
    from mypy_boto3_s3.type_defs import CompletedPartTypeDef

# S3 wants at least 5 MiB of each part but the last, and at most 10,000 parts.
PART_BYTES: Final = 8 * 1024 * 1024


class MultipartUpload:
    """A file to write to, which becomes an object when it is completed. Raises `StorageError`."""

    def __init__(self, storage: ImageStorage, key: str, *, content_type: str) -> None:
        self._client, self._bucket, self._key = storage.client, storage.bucket_name, key
        self._buffer = bytearray()
        self._parts: list[CompletedPartTypeDef] = []
        self.size = 0
        with translated_errors():
            answer = self._client.create_multipart_upload(
                Bucket=self._bucket, Key=key, ContentType=content_type, CacheControl="private"
            )
        self.id = answer["UploadId"]

    def write(self, data: bytes) -> int:
        """Take some bytes; a part that is full is sent."""
        self._buffer += data
        self.size += len(data)
        while len(self._buffer) >= PART_BYTES:
            self._send(bytes(self._buffer[:PART_BYTES]))
            del self._buffer[:PART_BYTES]
        return len(data)

    def flush(self) -> None:
        """Do nothing: parts have a size of their own."""

    def close(self) -> None:
        """Do nothing: only `complete` makes an object."""

    def complete(self) -> None:
        """Send the rest and make the object of all parts."""
        if self._buffer or not self._parts:
            self._send(bytes(self._buffer))
            self._buffer.clear()
        with translated_errors():
            self._client.complete_multipart_upload(
                Bucket=self._bucket,
                Key=self._key,
                UploadId=self.id,
                MultipartUpload={"Parts": self._parts},
            )

    def _send(self, data: bytes) -> None:
        number = len(self._parts) + 1
        with translated_errors():
            answer = self._client.upload_part(
                Bucket=self._bucket,
                Key=self._key,
                UploadId=self.id,
                PartNumber=number,
                Body=data,
            )
        self._parts.append({"ETag": answer["ETag"], "PartNumber": number})


def abort_upload(storage: ImageStorage, key: str, upload_id: str) -> None:
    """Give up an upload that was not completed, so that its parts are not kept."""
    with translated_errors():
        storage.client.abort_multipart_upload(
            Bucket=storage.bucket_name, Key=key, UploadId=upload_id
        )
