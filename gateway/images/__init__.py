"""Checking, and where needed reworking, the pictures that providers return."""

from gateway.images.fit import MAX_QUALITY, fit_image, fit_image_offloaded
from gateway.images.inspect import inspect_image
from gateway.images.types import (
    CONTENT_TYPES,
    EXTENSIONS,
    ImageFormat,
    ImageInfo,
    ImageRejected,
    Rejection,
)

__all__ = [
    "CONTENT_TYPES",
    "EXTENSIONS",
    "MAX_QUALITY",
    "ImageFormat",
    "ImageInfo",
    "ImageRejected",
    "Rejection",
    "fit_image",
    "fit_image_offloaded",
    "inspect_image",
]
