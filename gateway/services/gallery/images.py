"""Delivered images in full size, for members who are signed in."""

from dataclasses import dataclass
from uuid import UUID

from gateway.errors import NotFoundError
from gateway.images import CONTENT_TYPES, EXTENSIONS
from gateway.models import Artifact
from gateway.storage import (
    ObjectNotFoundError,
    ObjectStream,
    private_storage,
    public_storage,
    release_connections,
)

# As with thumbnails: a deleted image may be shown from a member's browser until then.
CACHE_CONTROL = "private, max-age=3600"


@dataclass(frozen=True, slots=True)
class OpenedImage:
    """An image on its way; `name` is what its file is called when it is saved."""

    stream: ObjectStream
    content_type: str
    name: str


def open_image(
    *, organization_id: UUID, generation_id: UUID, index: int, if_none_match: str | None = None
) -> OpenedImage:
    """Open one image of an organization; no database connection is held when it returns.

    Raises:
        NotFoundError: It does not exist, was deleted, or belongs to another organization.
        NotModifiedError: `if_none_match` names it.
        StorageUnavailableError: Storage is away.
    """
    artifact = (
        Artifact.objects.select_related("generation")
        .filter(
            generation_id=generation_id,
            index=index,
            deleted_at__isnull=True,
            generation__organization_id=organization_id,
        )
        .first()
    )
    release_connections()
    if artifact is None:
        raise NotFoundError("No such image.")
    storage = public_storage() if artifact.is_public else private_storage()
    try:
        stream = storage.open_stream(artifact.key, if_none_match=if_none_match)
    except ObjectNotFoundError as error:
        raise NotFoundError("The image was deleted.") from error
    ending = _ENDINGS.get(artifact.content_type, "png")
    model = artifact.generation.model.replace("/", "-")
    name = f"{artifact.generation.created_at:%Y%m%d-%H%M%S}_{model}_{index}.{ending}"
    return OpenedImage(stream, artifact.content_type, name)


_ENDINGS = {CONTENT_TYPES[name]: EXTENSIONS[name] for name in CONTENT_TYPES}
