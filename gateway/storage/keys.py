"""Names of stored images."""

from uuid import UUID


def image_key(organization_id: UUID, request_id: UUID, index: int, extension: str) -> str:
    """Return `<org_uuid>/<request_uuid>/<n>.<ext>`, the key of one delivered image.

    `extension` has no dot; `jpeg` is written `jpg`.
    """
    suffix = "jpg" if extension == "jpeg" else extension
    return f"{request_prefix(organization_id, request_id)}{index}.{suffix}"


def request_prefix(organization_id: UUID, request_id: UUID) -> str:
    """Return what the keys of one request's objects start with, slash included."""
    return f"{organization_id}/{request_id}/"
