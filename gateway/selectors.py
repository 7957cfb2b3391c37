"""Reading generations. A foreign id is as unknown as one that never was."""

from uuid import UUID

import orjson
from django.db import connection

from gateway.errors import NotFoundError
from gateway.models import Attempt
from gateway.storage import private_storage, public_storage
from gateway.types import AttemptView, GenerationView, ImageView

_COLUMNS = (
    "id",
    "organization_id",
    "status",
    "model",
    "requested_model",
    "parameters",
    "livemode",
    "is_sandboxed",
    "currency",
    "quoted_micros",
    "charged_micros",
    "dropped_parameters",
    "served_by",
    "image_adjusted",
    "usage",
    "undelivered",
    "error",
    "created_at",
    "deadline_at",
    "finished_at",
)
# The images come in the same row: a second query would be one more round trip of each request.
_GENERATION = f"""
SELECT {", ".join(_COLUMNS)}, (
    SELECT jsonb_agg(
        jsonb_build_array(index, is_public, key, size_bytes, content_type, revised_prompt)
        ORDER BY index
    )
    FROM gateway_artifact
    WHERE generation_id = gateway_generation.id AND deleted_at IS NULL
)
FROM gateway_generation
WHERE id = %s AND organization_id = %s
"""  # noqa: S608 - made of constants


def get_generation(
    *, organization_id: UUID, generation_id: UUID, with_attempts: bool = True
) -> GenerationView:
    """Return a generation of the organization with its images. One query, two with attempts.

    Raises:
        NotFoundError: It does not exist, or belongs to another organization.
    """
    with connection.cursor() as cursor:
        cursor.execute(_GENERATION, [generation_id, organization_id])
        row = cursor.fetchone()
    if row is None:
        raise NotFoundError("No such generation.")
    *columns, images = row
    values = dict(zip(_COLUMNS, columns, strict=True))
    for name in ("parameters", "dropped_parameters", "usage", "undelivered", "error"):
        if values[name] is not None:
            values[name] = orjson.loads(values[name])
    values["dropped_parameters"] = tuple(values["dropped_parameters"])
    values["undelivered"] = tuple(values["undelivered"])
    return GenerationView(
        **values,
        images=tuple(_image(*image) for image in orjson.loads(images or "[]")),
        attempts=_attempts(generation_id) if with_attempts else (),
    )


def _image(
    index: int,
    is_public: bool,  # noqa: FBT001 - a row's column
    key: str,
    size_bytes: int,
    content_type: str,
    revised_prompt: str,
) -> ImageView:
    storage = public_storage() if is_public else private_storage()
    return ImageView(
        index=index,
        url=storage.url(key),
        is_public=is_public,
        key=key,
        size_bytes=size_bytes,
        content_type=content_type,
        revised_prompt=revised_prompt,
    )


def _attempts(generation_id: UUID) -> tuple[AttemptView, ...]:
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
        for attempt in Attempt.objects.filter(generation_id=generation_id).order_by("number")
    )
