"""Names of stored images."""

from typing import Final
from uuid import UUID

INPUTS_ROOT: Final = "inputs/"


def image_key(organization_id: UUID, request_id: UUID, index: int, extension: str) -> str:
    """Return `<org_uuid>/<request_uuid>/<n>.<ext>`, the key of one delivered image.

    `extension` has no dot; `jpeg` is written `jpg`.
    """
    suffix = "jpg" if extension == "jpeg" else extension
    return f"{request_prefix(organization_id, request_id)}{index}.{suffix}"


def partial_key(organization_id: UUID, request_id: UUID, index: int) -> str:
    """Return `<org_uuid>/<request_uuid>/partial/<k>`, the key of one partial image."""
    return f"{partials_prefix(organization_id, request_id)}{index}"


def partials_prefix(organization_id: UUID, request_id: UUID) -> str:
    """Return what the keys of one request's partial images start with, slash included."""
    return f"{request_prefix(organization_id, request_id)}partial/"


def request_prefix(organization_id: UUID, request_id: UUID) -> str:
    """Return what the keys of one request's objects start with, slash included."""
    return f"{organization_id}/{request_id}/"


def input_key(organization_id: UUID, request_id: UUID, index: int) -> str:
    """Return `inputs/<org_uuid>/<request_uuid>/<k>`, the key of an image that was sent along.

    They have a root of their own, so that what a request left that never became a generation is
    found without reading the whole bucket.
    """
    return f"{inputs_prefix(organization_id, request_id)}{index}"


def inputs_prefix(organization_id: UUID, request_id: UUID) -> str:
    """Return what the keys of the images sent along with one request start with."""
    return f"{INPUTS_ROOT}{organization_id}/{request_id}/"
