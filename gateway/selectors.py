"""Reading generations. A foreign id is as unknown as one that never was."""

from datetime import datetime
from uuid import UUID

from gateway.errors import NotFoundError
from gateway.models import Artifact, Attempt, Generation
from gateway.storage import private_storage, public_storage
from gateway.types import AttemptView, GenerationView, ImageView


def get_generation(
    *, organization_id: UUID, generation_id: UUID, livemode: bool | None = None
) -> GenerationView:
    """Return a generation of the organization with its images and attempts. Three queries.

    Raises:
        NotFoundError: It does not exist, or belongs to another organization or mode.
    """
    rows = Generation.objects.filter(organization_id=organization_id, id=generation_id)
    if livemode is not None:
        rows = rows.filter(livemode=livemode)
    generation = rows.first()
    if generation is None:
        raise NotFoundError("No such generation.")
    return GenerationView(
        id=generation.id,
        organization_id=generation.organization_id,
        status=generation.status,
        model=generation.model,
        requested_model=generation.requested_model,
        parameters=generation.parameters,
        livemode=generation.livemode,
        is_sandboxed=generation.is_sandboxed,
        currency=generation.currency,
        quoted_micros=generation.quoted_micros,
        charged_micros=generation.charged_micros,
        dropped_parameters=tuple(generation.dropped_parameters),
        served_by=generation.served_by,
        image_adjusted=generation.image_adjusted,
        usage=generation.usage,
        error=generation.error,
        created_at=generation.created_at,
        deadline_at=generation.deadline_at,
        finished_at=generation.finished_at,
        images=_images(generation),
        attempts=_attempts(generation),
    )


def find_status(*, generation_id: UUID) -> tuple[bool, datetime] | None:
    """Return whether a generation has ended, and its deadline; None if it does not exist."""
    row = (
        Generation.objects.filter(id=generation_id)
        .values_list("finished_at", "deadline_at")
        .first()
    )
    return None if row is None else (row[0] is not None, row[1])


def _images(generation: Generation) -> tuple[ImageView, ...]:
    if generation.status != Generation.Status.SUCCEEDED:
        return ()
    artifacts = Artifact.objects.filter(generation_id=generation.id, deleted_at__isnull=True)
    return tuple(_image(artifact) for artifact in artifacts.order_by("index"))


def _image(artifact: Artifact) -> ImageView:
    storage = public_storage() if artifact.is_public else private_storage()
    return ImageView(
        index=artifact.index,
        url=storage.url(artifact.key),
        is_public=artifact.is_public,
        key=artifact.key,
        size_bytes=artifact.size_bytes,
        content_type=artifact.content_type,
        revised_prompt=artifact.revised_prompt,
    )


def _attempts(generation: Generation) -> tuple[AttemptView, ...]:
    return tuple(
        AttemptView(
            number=attempt.number,
            provider="sandbox" if attempt.is_sandboxed else attempt.provider,
            upstream_model=attempt.upstream_model,
            status=attempt.status,
            error_code=attempt.error_code,
            started_at=attempt.started_at,
            finished_at=attempt.finished_at,
        )
        for attempt in Attempt.objects.filter(generation_id=generation.id).order_by("number")
    )
