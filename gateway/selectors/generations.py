"""Reading generations. A foreign id is as unknown as one that never was."""

from collections import defaultdict
from collections.abc import Collection
from datetime import UTC, datetime
from typing import Any, Final
from uuid import UUID

import orjson
from django.db import connection

from gateway.errors import NotFoundError
from gateway.storage import private_storage, public_storage
from gateway.types import AttemptView, GenerationView, ImageView

_COLUMNS: Final = (
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
    "partials",
    "error",
    "created_at",
    "deadline_at",
    "finished_at",
    "deleted_at",
    "is_expired",
)
# The images come in the same row: a second query would be one more round trip of each request.
SELECT_GENERATIONS: Final = f"""
SELECT {", ".join(_COLUMNS)}, (
    SELECT jsonb_agg(
        jsonb_build_array(index, is_public, key, size_bytes, content_type, revised_prompt)
        ORDER BY index
    )
    FROM gateway_artifact
    WHERE generation_id = gateway_generation.id AND deleted_at IS NULL
)
FROM gateway_generation
"""  # noqa: S608 - made of constants
"""Rows for `view_of`; a condition follows."""
_ONE: Final = f"{SELECT_GENERATIONS}WHERE id = %s AND organization_id = %s"

# psycopg takes ten times as long for an instant as for a number, and a page has hundreds.
_ATTEMPTS: Final = """
SELECT generation_id, number, CASE WHEN is_sandboxed THEN 'sandbox' ELSE provider END,
    upstream_model, status, error_code, extract(epoch FROM started_at)::float8,
    extract(epoch FROM finished_at)::float8
FROM gateway_attempt
WHERE generation_id = ANY(%s)
ORDER BY generation_id, number
"""


def get_generation(
    *, organization_id: UUID, generation_id: UUID, with_attempts: bool = True
) -> GenerationView:
    """Return a generation of the organization with its images. One query, two with attempts.

    Raises:
        NotFoundError: It does not exist, or belongs to another organization.
    """
    with connection.cursor() as cursor:
        cursor.execute(_ONE, [generation_id, organization_id])
        row = cursor.fetchone()
    if row is None:
        raise NotFoundError("No such generation.")
    attempts = attempts_of([generation_id]) if with_attempts else {}
    return view_of(row, attempts.get(generation_id, ()))


def view_of(row: tuple[Any, ...], attempts: tuple[AttemptView, ...]) -> GenerationView:
    """Return a row of `SELECT_GENERATIONS` as a view."""
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
        attempts=attempts,
    )


def attempts_of(generation_ids: Collection[UUID]) -> dict[UUID, tuple[AttemptView, ...]]:
    """Return the attempts of generations that have any, in their order. One query."""
    found: defaultdict[UUID, list[AttemptView]] = defaultdict(list)
    with connection.cursor() as cursor:
        cursor.execute(_ATTEMPTS, [list(generation_ids)])
        for generation_id, *columns in cursor:
            found[generation_id].append(_attempt(*columns))
    return {generation_id: tuple(attempts) for generation_id, attempts in found.items()}


def _attempt(
    number: int,
    provider: str,
    upstream_model: str,
    status: str,
    error_code: str,
    started_s: float,
    finished_s: float | None,
) -> AttemptView:
    return AttemptView(
        number=number,
        provider=provider,
        upstream_model=upstream_model,
        status=status,
        error_code=error_code,
        started_at=datetime.fromtimestamp(started_s, UTC),
        finished_at=None if finished_s is None else datetime.fromtimestamp(finished_s, UTC),
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
