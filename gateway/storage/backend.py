"""Images in S3: a django-storages backend with one client and write-once puts."""

import base64
import binascii
import functools
import hashlib
import time
from collections.abc import Iterator, Mapping, Sequence
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING, Any, BinaryIO, ClassVar, cast

from boto3.s3.transfer import TransferConfig
from botocore.response import StreamingBody
from django.conf import settings
from storages.backends.s3 import S3Storage  # type: ignore[import-untyped]  # ships no types

from gateway.storage.client import s3_config, s3_resource, signing_config
from gateway.storage.direct import direct_bucket
from gateway.storage.errors import (
    ObjectExistsError,
    ObjectNotFoundError,
    StorageError,
    StorageUnavailableError,
    translated_errors,
)
from gateway.storage.types import ObjectInfo, ObjectStream, Stored, StoredObject

if TYPE_CHECKING:  # the stubs are no dependency of the running program
    from mypy_boto3_s3.client import S3Client
    from mypy_boto3_s3.service_resource import S3ServiceResource
    from mypy_boto3_s3.type_defs import GetObjectOutputTypeDef, HeadObjectOutputTypeDef

CHUNK_BYTES = 48 * 1024

_PUT_ROUNDS = 4
_PUT_PAUSE_S = 0.1
_SHA256_BYTES = 32
_DELETE_BATCH = 1000


class ImageStorage(S3Storage):  # type: ignore[misc]  # the base class ships no types
    """One bucket. Every method that talks to S3 raises a `StorageError` on failure.

    No method may be called while the greenlet holds a database connection.
    """

    bucket_setting: ClassVar[str]

    def get_default_settings(self) -> dict[str, Any]:
        """Return django-storages' defaults with ours in place of its `AWS_*` settings."""
        config = s3_config()
        defaults = cast("dict[str, Any]", super().get_default_settings())
        return defaults | {
            "access_key": config.access_key,
            "secret_key": config.secret_key,
            "security_token": None,
            "session_profile": None,
            "bucket_name": getattr(settings, self.bucket_setting),
            "endpoint_url": config.endpoint_url or None,
            "region_name": config.region,
            "addressing_style": config.addressing_style,
            # Django's `save` and `open` go through s3transfer, which would start real threads.
            "transfer_config": TransferConfig(use_threads=False),
        }

    @property
    def connection(self) -> "S3ServiceResource":
        """Return the process's resource; the base class makes one per greenlet (125-175 ms)."""
        return s3_resource(s3_config())

    @property
    def client(self) -> "S3Client":
        """Return the process's client."""
        return self.connection.meta.client

    def put_image(
        self, key: str, data: bytes, *, content_type: str, cache_control: str, sha256: str
    ) -> Stored:
        """Store an image once: a key that is taken is never overwritten but adopted.

        Args:
            key: See `gateway.storage.image_key`.
            data: The whole image.
            content_type: Media type it is served with.
            cache_control: Header it is served with.
            sha256: Hex digest of `data`, which the server checks.

        Raises:
            ChecksumMismatchError: `sha256` is not that of the bytes that arrived.
            StorageUnavailableError: Unreachable; the image may have been stored nevertheless.
        """
        checksum = base64.b64encode(bytes.fromhex(sha256)).decode("ascii")
        headers = {
            "Content-Type": content_type,
            "Cache-Control": cache_control,
            "Content-Disposition": "inline",
            "If-None-Match": "*",
            "x-amz-checksum-sha256": checksum,
        }
        if direct_bucket(self.bucket_name).put(key, data, headers):
            return Stored(key, sha256, len(data), existed=False)
        for _ in range(_PUT_ROUNDS):
            try:
                with translated_errors():
                    self.client.put_object(
                        Bucket=self.bucket_name,
                        Key=key,
                        Body=data,
                        ContentType=content_type,
                        CacheControl=cache_control,
                        ContentDisposition="inline",
                        IfNoneMatch="*",
                        ChecksumSHA256=checksum,
                    )
            except ObjectExistsError:
                adopted = self._adopt(key)
                if adopted is not None:
                    return adopted
                # Deleted since, or still being written by another (AWS answers 409 then).
                time.sleep(_PUT_PAUSE_S)
            else:
                return Stored(key, sha256, len(data), existed=False)
        raise StorageUnavailableError("the key is taken, but holds no object")

    def put_file(
        self, key: str, file: BinaryIO, *, size: int, content_type: str, sha256: str
    ) -> None:
        """Store a file, reading it from its beginning; what has the key is replaced.

        Args:
            key: See `gateway.storage.input_key`.
            file: Open for reading, and seekable.
            size: Bytes in it.
            content_type: Media type it is kept with.
            sha256: Hex digest of the bytes, which the server checks.

        Raises:
            ChecksumMismatchError: `sha256` is not that of the bytes that arrived.
            StorageUnavailableError: Unreachable.
        """
        file.seek(0)
        with translated_errors():
            self.client.put_object(
                Bucket=self.bucket_name,
                Key=key,
                Body=file,
                ContentLength=size,
                ContentType=content_type,
                CacheControl="private, no-store",
                ChecksumSHA256=base64.b64encode(bytes.fromhex(sha256)).decode("ascii"),
            )

    def _adopt(self, key: str) -> Stored | None:
        try:
            info = self.stat(key)
            digest = info.sha256 or self.read_sha256(key)
        except ObjectNotFoundError:
            return None
        return Stored(key, digest, info.size, existed=True)

    def stat(self, key: str) -> ObjectInfo:
        """Return what the headers say of an object, its checksum included.

        Raises:
            ObjectNotFoundError: No such object.
        """
        with translated_errors():
            answer = self.client.head_object(
                Bucket=self.bucket_name, Key=key, ChecksumMode="ENABLED"
            )
        return _info(answer)

    def read_sha256(self, key: str) -> str:
        """Return the hex digest of the stored bytes, by reading all of them."""
        digest = hashlib.sha256()
        with self.open_stream(key) as stream:
            for chunk in stream:
                digest.update(chunk)
        return digest.hexdigest()

    def open_stream(
        self,
        key: str,
        *,
        chunk_bytes: int = CHUNK_BYTES,
        byte_range: str | None = None,
        if_none_match: str | None = None,
    ) -> ObjectStream:
        """Open an object for reading in chunks.

        Args:
            key: Name of the object.
            chunk_bytes: Most bytes held at a time.
            byte_range: A `Range` header with one range.
            if_none_match: An `If-None-Match` header.

        Raises:
            ObjectNotFoundError: No such object.
            NotModifiedError: `if_none_match` names the stored version.
            RangeNotSatisfiableError: `byte_range` is outside the object.
        """
        if byte_range is None and if_none_match is None:
            found = direct_bucket(self.bucket_name).get(key)
            if found is not None:
                info = _info_of_headers(found.headers)
                return ObjectStream(info, StreamingBody(found.raw, info.size), chunk_bytes)
        conditions: dict[str, Any] = {}
        if byte_range is not None:
            conditions["Range"] = byte_range
        if if_none_match is not None:
            conditions["IfNoneMatch"] = if_none_match
        with translated_errors():
            answer = self.client.get_object(Bucket=self.bucket_name, Key=key, **conditions)
        return ObjectStream(_info(answer), answer["Body"], chunk_bytes)

    def exists(self, name: str) -> bool:
        """Tell whether an object has this key."""
        try:
            self.stat(name)
        except ObjectNotFoundError:
            return False
        return True

    def delete(self, name: str) -> None:
        """Delete an object; one that does not exist is no error."""
        with translated_errors():
            self.client.delete_object(Bucket=self.bucket_name, Key=name)

    def list_prefix(self, prefix: str) -> Iterator[StoredObject]:
        """Yield all objects whose key starts with `prefix`, in the order of their keys."""
        pages = self.client.get_paginator("list_objects_v2").paginate(
            Bucket=self.bucket_name, Prefix=prefix
        )
        iterator = iter(pages)
        while True:
            with translated_errors():
                page = next(iterator, None)
            if page is None:
                return
            for entry in page.get("Contents", ()):
                yield StoredObject(entry["Key"], entry["Size"], entry["LastModified"])

    def delete_prefix(self, prefix: str) -> int:
        """Delete all objects below a folder and return how many there were.

        Raises:
            ValueError: `prefix` is empty or does not end with a slash: `a/1` would take `a/10`.
            StorageError: The server kept some of them.
        """
        if not prefix.strip("/") or not prefix.endswith("/"):
            raise ValueError("the prefix must name a folder and end with a slash")
        keys = [entry.key for entry in self.list_prefix(prefix)]
        self.delete_keys(keys)
        return len(keys)

    def delete_keys(self, keys: Sequence[str]) -> None:
        """Delete objects; those that do not exist are no error.

        Raises:
            StorageError: The server kept some of them.
        """
        for start in range(0, len(keys), _DELETE_BATCH):
            batch = keys[start : start + _DELETE_BATCH]
            with translated_errors():
                answer = self.client.delete_objects(
                    Bucket=self.bucket_name,
                    Delete={"Objects": [{"Key": key} for key in batch], "Quiet": True},
                )
            if answer.get("Errors"):
                raise StorageError(f"{len(answer['Errors'])} objects were not deleted")


class PublicImageStorage(ImageStorage):
    """The bucket anyone may read from and nobody may list."""

    bucket_setting = "S3_BUCKET"

    def url(
        self,
        name: str,
        parameters: Mapping[str, str] | None = None,
        expire: int | None = None,
        http_method: str | None = None,
    ) -> str:
        """Return the permanent address, built anew from the settings at each call.

        Raises:
            ValueError: Something was asked for that a plain address cannot say.
        """
        if parameters or expire is not None or http_method:
            raise ValueError("a permanent address has no parameters and does not expire")
        return f"{settings.S3_PUBLIC_BASE_URL}/{name}"


class PrivateImageStorage(ImageStorage):
    """The bucket that only signed requests may read."""

    bucket_setting = "S3_PRIVATE_BUCKET"

    def url(
        self,
        name: str,
        parameters: Mapping[str, str] | None = None,
        expire: int | None = None,
        http_method: str | None = None,
    ) -> str:
        """Return an address that works for `expire` seconds (`SIGNED_URL_TTL_S` by default).

        Signing is arithmetic, no request. A signature fits one method; `http_method` is GET
        unless said otherwise.
        """
        client = s3_resource(signing_config()).meta.client
        return client.generate_presigned_url(
            "get_object",
            Params={**(parameters or {}), "Bucket": self.bucket_name, "Key": name},
            ExpiresIn=settings.SIGNED_URL_TTL_S if expire is None else expire,
            HttpMethod=http_method or "GET",
        )


@functools.cache
def public_storage() -> PublicImageStorage:
    """Return the process's storage of `public` organizations' images."""
    return PublicImageStorage()


@functools.cache
def private_storage() -> PrivateImageStorage:
    """Return the process's storage of everything that only signed requests may read."""
    return PrivateImageStorage()


def _info(answer: "GetObjectOutputTypeDef | HeadObjectOutputTypeDef") -> ObjectInfo:
    return ObjectInfo(
        size=answer["ContentLength"],
        etag=answer["ETag"],
        last_modified=answer["LastModified"],
        content_type=answer.get("ContentType", ""),
        cache_control=answer.get("CacheControl", ""),
        sha256=_hex_digest(answer.get("ChecksumSHA256", "")),
        content_range=answer.get("ContentRange") or None,
    )


def _info_of_headers(headers: Mapping[str, str]) -> ObjectInfo:
    return ObjectInfo(
        size=int(headers["Content-Length"]),
        etag=headers.get("ETag", ""),
        last_modified=parsedate_to_datetime(headers["Last-Modified"]),
        content_type=headers.get("Content-Type", ""),
        cache_control=headers.get("Cache-Control", ""),
        sha256=_hex_digest(headers.get("x-amz-checksum-sha256", "")),
    )


def _hex_digest(checksum: str) -> str | None:
    """Return a checksum header as hex, None if it is not of the whole object (`...-3`)."""
    try:
        digest = base64.b64decode(checksum, validate=True)
    except binascii.Error:
        return None
    return digest.hex() if len(digest) == _SHA256_BYTES else None
