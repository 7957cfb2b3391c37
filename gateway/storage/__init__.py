"""Object storage: where delivered images live."""

from gateway.storage.backend import (
    CHUNK_BYTES,
    ImageStorage,
    PrivateImageStorage,
    PublicImageStorage,
    private_storage,
    public_storage,
)
from gateway.storage.buckets import ensure_buckets, is_storage_up
from gateway.storage.errors import (
    ChecksumMismatchError,
    NotModifiedError,
    ObjectNotFoundError,
    RangeNotSatisfiableError,
    StorageError,
    StorageUnavailableError,
)
from gateway.storage.guard import forbid_open_transaction, release_connections
from gateway.storage.keys import (
    INPUTS_ROOT,
    image_key,
    input_key,
    inputs_prefix,
    partial_key,
    partials_prefix,
    request_prefix,
)
from gateway.storage.source import ObjectSource
from gateway.storage.types import ObjectInfo, ObjectStream, Stored, StoredObject

__all__ = [
    "CHUNK_BYTES",
    "INPUTS_ROOT",
    "ChecksumMismatchError",
    "ImageStorage",
    "NotModifiedError",
    "ObjectInfo",
    "ObjectNotFoundError",
    "ObjectSource",
    "ObjectStream",
    "PrivateImageStorage",
    "PublicImageStorage",
    "RangeNotSatisfiableError",
    "StorageError",
    "StorageUnavailableError",
    "Stored",
    "StoredObject",
    "ensure_buckets",
    "forbid_open_transaction",
    "image_key",
    "input_key",
    "inputs_prefix",
    "is_storage_up",
    "partial_key",
    "partials_prefix",
    "private_storage",
    "public_storage",
    "release_connections",
    "request_prefix",
]
