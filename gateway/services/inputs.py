"""Images sent along with a request: kept in the private bucket for as long as it runs.

They are stored before their generation exists, so that nothing is promised that a worker could not
make. What a request leaves behind that is refused afterwards, or dies, is found by its place: the
root of all inputs holds little else.
"""

import logging
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import groupby
from typing import Final
from uuid import UUID

from django.db import DatabaseError, connection

from gateway.errors import InvalidRequestError, ProviderUnavailableError
from gateway.models import Generation
from gateway.parameters.files import SentFile
from gateway.parameters.types import GenerationRequest, InputFile
from gateway.providers.base import InputImage
from gateway.storage import (
    INPUTS_ROOT,
    ObjectNotFoundError,
    ObjectSource,
    StorageError,
    StoredObject,
    input_key,
    inputs_prefix,
    private_storage,
    release_connections,
)

# Longer than from the first byte of an upload to its generation's row.
ORPHANED_AFTER: Final = timedelta(hours=1)
BATCH: Final = 500
logger = logging.getLogger(__name__)


@dataclass(slots=True)
class Inputs:
    """The stored files of a request; `is_kept` once there is a generation that needs them."""

    is_kept: bool = False


@contextmanager
def kept_inputs(
    *,
    organization_id: UUID,
    generation_id: UUID,
    request: GenerationRequest,
    files: Sequence[SentFile],
) -> Iterator[Inputs]:
    """Store the files of a request under the id that its generation will have, for the block.

    They are deleted at its end unless it kept them. Where it is not known whether there is a
    generation, because the database went away, they stay: they are found again by their age.
    Holds no database connection while storage is called.

    Raises:
        ProviderUnavailableError: Storage does not take them.
    """
    inputs = Inputs()
    if not files:
        yield inputs
        return
    _store(organization_id, generation_id, request, files)
    try:
        yield inputs
    except DatabaseError:
        inputs.is_kept = True
        raise
    finally:
        if not inputs.is_kept:
            _discard(organization_id, generation_id)


def _store(
    organization_id: UUID,
    generation_id: UUID,
    request: GenerationRequest,
    files: Sequence[SentFile],
) -> None:
    release_connections()
    ordered = sorted(files, key=lambda sent: sent.param == "mask")
    try:
        for index, (sent, checked) in enumerate(zip(ordered, request.files, strict=True)):
            private_storage().put_file(
                input_key(organization_id, generation_id, index),
                sent.file,
                size=sent.size_bytes,
                content_type=checked.content_type,
                sha256=sent.sha256,
            )
    except StorageError as error:
        logger.warning("inputs.not_stored generation=%s error=%s", generation_id, error)
        _discard(organization_id, generation_id)
        raise ProviderUnavailableError(
            "The images you sent could not be stored for now. Nothing was charged.",
            retry_after_s=5,
        ) from error


def _discard(organization_id: UUID, generation_id: UUID) -> None:
    """Delete what was stored for a request that came to nothing; if not now, then later."""
    release_connections()
    try:
        private_storage().delete_prefix(inputs_prefix(organization_id, generation_id))
    except StorageError as error:
        logger.warning("inputs.not_deleted generation=%s error=%s", generation_id, error)


def input_images(
    *, organization_id: UUID, generation_id: UUID, request: GenerationRequest
) -> tuple[tuple[InputImage, ...], InputImage | None]:
    """Return a generation's input images and its mask, to be read while they are sent."""
    images = [
        _input_image(input_key(organization_id, generation_id, index), file)
        for index, file in enumerate(request.files)
    ]
    mask = None if request.mask is None else images.pop()
    return tuple(images), mask


@contextmanager
def reopened_inputs(
    *, organization_id: UUID, generation_id: UUID, request: GenerationRequest
) -> Iterator[list[SentFile]]:
    """Read a generation's inputs to disk for the block, to be sent along once more.

    Raises:
        InvalidRequestError: They are no longer kept.
        ProviderUnavailableError: Storage is away.
    """
    sent: list[SentFile] = []
    release_connections()
    with ExitStack() as kept:
        try:
            for index, file in enumerate(request.files):
                target = kept.enter_context(tempfile.TemporaryFile())
                key = input_key(organization_id, generation_id, index)
                with private_storage().open_stream(key) as stream:
                    target.writelines(stream)
                name = "mask" if file is request.mask else "image"
                sent.append(SentFile(name, target, file.sha256, file.size_bytes))
        except ObjectNotFoundError as error:
            raise InvalidRequestError(
                "The images that were sent along are no longer kept: they are deleted soon after"
                " the end. Send them again."
            ) from error
        except StorageError as error:
            raise ProviderUnavailableError(
                "The images that were sent along cannot be read for now.", retry_after_s=5
            ) from error
        yield sent


def delete_orphaned_inputs(*, now: datetime) -> int:
    """Delete inputs whose request never became a generation; return of how many requests."""
    deleted = 0
    batch: list[tuple[UUID, UUID]] = []
    for request in _old_requests(before=now - ORPHANED_AFTER):
        batch.append(request)
        if len(batch) == BATCH:
            deleted += _delete_orphans(batch)
            batch = []
    return deleted + _delete_orphans(batch)


def _input_image(key: str, file: InputFile) -> InputImage:
    return InputImage(
        source=ObjectSource(private_storage(), key, file.size_bytes),
        content_type=file.content_type,
        width=file.width,
        height=file.height,
    )


def _old_requests(*, before: datetime) -> Iterator[tuple[UUID, UUID]]:
    """Yield organization and request of all inputs that were stored before an instant."""
    for prefix, found in groupby(private_storage().list_prefix(INPUTS_ROOT), key=_folder):
        if all(one.last_modified < before for one in found):
            _root, organization, request = prefix.split("/")
            yield UUID(organization), UUID(request)


def _folder(found: StoredObject) -> str:
    return found.key.rpartition("/")[0]


def _delete_orphans(requests: Sequence[tuple[UUID, UUID]]) -> int:
    """Delete the inputs of those that have no generation; what has one is its sweeper's."""
    ids = [request_id for _, request_id in requests]
    known = set(Generation.objects.filter(id__in=ids).values_list("id", flat=True))
    connection.close()
    orphans = [request for request in requests if request[1] not in known]
    for organization_id, request_id in orphans:
        _discard(organization_id, request_id)
    return len(orphans)
