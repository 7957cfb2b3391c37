"""Editing and varying images in the console: those of the gallery, and others that are sent."""

import hashlib
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from datetime import datetime
from typing import BinaryIO
from uuid import UUID

from django.conf import settings

from gateway.errors import InvalidRequestError, NotFoundError, ProviderUnavailableError
from gateway.parameters.edit import read_attachments
from gateway.parameters.files import MAX_INPUTS, SentFile
from gateway.services.gallery.images import open_image
from gateway.services.playground.generating import Batch, ask_each, require_models
from gateway.storage import ObjectStream, StorageError, release_connections
from gateway.types import Operation
from orgs.services.api_keys import Caller


def edit_in_console(
    *,
    caller: Caller,
    operation: Operation,
    body: Mapping[str, object],
    models: Sequence[str],
    sources: Sequence[tuple[UUID, int]],
    files: Sequence[SentFile],
    submission_key: str,
    now: datetime,
) -> Batch:
    """Ask each of some models for an edit or a variation; as `generate_in_console`.

    Args:
        caller: From `console_caller`.
        operation: An edit or a variation.
        body: As of `POST /v1/images/edits`, without `model` and without files.
        models: Ids, at most `MAX_MODELS`.
        sources: Images of the organization, as generation and index; they come first.
        files: What was sent: images and a mask.
        submission_key: Of the form.
        now: When it is asked for.

    Raises:
        OrganizationSuspendedError: It is suspended.
        InvalidRequestError: No model or no image, too many, or one that cannot be edited.
        ProviderUnavailableError: Storage does not give the organization's images.
    """
    require_models(caller=caller, models=models)
    if len(sources) > MAX_INPUTS:
        raise InvalidRequestError(f"Choose at most {MAX_INPUTS} images.", param="image")
    with _copies(caller.organization_id, sources) as copies:
        every = [*copies, *files]
        attachments = read_attachments(
            every, operation=operation, max_pixels=settings.IMAGE_MAX_PIXELS
        )
        return ask_each(
            caller=caller,
            body=body,
            models=models,
            submission_key=submission_key,
            now=now,
            attachments=attachments,
            files=every,
        )


@contextmanager
def _copies(organization_id: UUID, sources: Sequence[tuple[UUID, int]]) -> Iterator[list[SentFile]]:
    """Copy stored images to disk for the block, as if they had been sent."""
    with ExitStack() as kept:
        copies = []
        for generation_id, index in sources:
            try:
                image = open_image(
                    organization_id=organization_id, generation_id=generation_id, index=index
                )
                file: BinaryIO = kept.enter_context(tempfile.TemporaryFile())
                copies.append(_copy(image.stream, file))
            except NotFoundError as error:
                raise InvalidRequestError(
                    "An image that you chose has been deleted.", param="image"
                ) from error
            except StorageError as error:
                raise ProviderUnavailableError(
                    "Your images could not be read for now. Nothing was charged.", retry_after_s=5
                ) from error
        release_connections()
        yield copies


def _copy(stream: ObjectStream, file: BinaryIO) -> SentFile:
    digest = hashlib.sha256()
    for chunk in stream:
        digest.update(chunk)
        file.write(chunk)
    return SentFile("image", file, digest.hexdigest(), stream.info.size)
