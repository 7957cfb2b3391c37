"""What somebody ran in the console: their last runs, each of one prompt and up to four models."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from itertools import groupby
from typing import Any, Final
from uuid import UUID

from django.db import connection
from django.db.models import Q

from gateway.models import Generation
from gateway.selectors.gallery import COLUMNS, GalleryImage, image_of_row

# Of one run there are at most four generations.
_GENERATIONS_A_RUN: Final = 4
_SHOWN_A_RUN: Final = 8
_IMAGES: Final = (
    COLUMNS
    + """
FROM gateway_generation AS generation
JOIN gateway_artifact AS artifact
    ON artifact.generation_id = generation.id AND artifact.deleted_at IS NULL
WHERE generation.id = ANY(%(ids)s::uuid[]) AND generation.deleted_at IS NULL
ORDER BY generation.created_at, generation.id, artifact.index
"""
)


@dataclass(frozen=True, slots=True)
class Run:
    """What was asked for together.

    Attributes:
        id: Of the batch; of the generation where it was run again by itself.
        operation: `generation`, `edit` or `variation`.
        parameters: Of its first model.
        models: As they were asked for.
        images: Those that are there, at most eight.
        is_ended: Whether nothing of it is on its way.
        is_failed: Whether all of it ended without an image.
        is_deleted: Whether it had images, and has none any more.
        charged_micros: For all of it; 0 in test mode.
    """

    id: UUID
    created_at: datetime
    operation: str
    parameters: dict[str, Any]
    models: tuple[str, ...]
    generation_ids: tuple[UUID, ...]
    images: tuple[GalleryImage, ...]
    is_ended: bool
    is_failed: bool
    is_deleted: bool
    charged_micros: int
    currency: str

    @property
    def prompt(self) -> str:
        """Return the prompt; a variation has none."""
        return str(self.parameters.get("prompt", ""))


def recent_runs(*, organization_id: UUID, user_id: UUID, livemode: bool, limit: int) -> list[Run]:
    """Return somebody's last runs in the console, newest first. Two queries."""
    rows = Generation.objects.filter(
        organization_id=organization_id, created_by_id=user_id, livemode=livemode
    ).order_by("-created_at", "-id")[: limit * _GENERATIONS_A_RUN]
    return _runs(rows)[:limit]


def find_run(*, organization_id: UUID, user_id: UUID, run_id: UUID) -> Run | None:
    """Return a run of somebody's own, by its id or that of one of its generations. Two queries."""
    rows = Generation.objects.filter(
        Q(batch_id=run_id) | Q(id=run_id), organization_id=organization_id, created_by_id=user_id
    ).order_by("-created_at", "-id")
    found = _runs(rows)
    return found[0] if found else None


def _runs(rows: Iterable[Generation]) -> list[Run]:
    """Return runs of rows that are sorted, newest first."""
    # Those of a batch are created one right after the other.
    groups = [list(group) for _, group in groupby(rows, key=lambda row: row.batch_id or row.id)]
    images = _images([row.id for group in groups for row in group])
    return [_run(group[::-1], images) for group in groups]


def _run(rows: list[Generation], images: dict[UUID, list[GalleryImage]]) -> Run:
    first = rows[0]
    shown = [image for row in rows for image in images.get(row.id, ())]
    is_ended = all(row.is_terminal for row in rows)
    succeeded = [row for row in rows if row.status == Generation.Status.SUCCEEDED]
    return Run(
        id=first.batch_id or first.id,
        created_at=first.created_at,
        operation=first.parameters.get("operation", "generation"),
        parameters=first.parameters,
        models=tuple(row.requested_model for row in rows),
        generation_ids=tuple(row.id for row in rows),
        images=tuple(shown[:_SHOWN_A_RUN]),
        is_ended=is_ended,
        is_failed=is_ended and not succeeded,
        is_deleted=bool(succeeded) and not shown,
        charged_micros=sum(row.charged_micros for row in rows if row.livemode),
        currency=first.currency,
    )


def _images(generation_ids: list[UUID]) -> dict[UUID, list[GalleryImage]]:
    found: dict[UUID, list[GalleryImage]] = {}
    with connection.cursor() as cursor:
        cursor.execute(_IMAGES, {"ids": generation_ids})
        for row in cursor:
            image = image_of_row(row)
            found.setdefault(image.generation_id, []).append(image)
    return found
