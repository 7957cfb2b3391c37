"""Which images an edit was made of, and what was made of an image.

An edit names what was sent along by its digest, so that an image is known again whichever way it
came: from the gallery, or downloaded and sent by a program.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final
from uuid import UUID

import orjson
from django.db import connection

from gateway.errors import NotFoundError
from gateway.models import Artifact, Generation
from gateway.selectors.gallery import COLUMNS, GalleryImage, image_of_row

MOST: Final = 24
# Of images with the same bytes, the one that had been made last.
_ORIGINS: Final = (
    COLUMNS  # noqa: S608 - made of constants
    + """
FROM gateway_generation AS edit
CROSS JOIN LATERAL jsonb_array_elements(edit.parameters -> 'inputs')
    WITH ORDINALITY AS sent (input, number)
CROSS JOIN LATERAL (
    SELECT candidate.id
    FROM gateway_artifact AS candidate
    JOIN gateway_generation AS maker ON maker.id = candidate.generation_id
    WHERE candidate.sha256 = decode(sent.input ->> 'sha256', 'hex')
        AND candidate.deleted_at IS NULL AND candidate.created_at < edit.created_at
        AND maker.organization_id = edit.organization_id
    ORDER BY candidate.created_at DESC
    LIMIT 1
) AS origin
JOIN gateway_artifact AS artifact ON artifact.id = origin.id
JOIN gateway_generation AS generation ON generation.id = artifact.generation_id
WHERE edit.id = %(generation_id)s AND edit.organization_id = %(organization_id)s
    AND edit.parameters ? 'inputs'
ORDER BY sent.number
"""
)
_DESCENDANTS: Final = (
    COLUMNS
    + """
FROM gateway_generation AS generation
JOIN gateway_artifact AS artifact
    ON artifact.generation_id = generation.id AND artifact.deleted_at IS NULL
WHERE generation.organization_id = %(organization_id)s
    AND generation.parameters ? 'inputs'
    AND (generation.parameters -> 'inputs') @> ANY(%(inputs)s::jsonb[])
ORDER BY generation.created_at DESC, generation.id DESC, artifact.index
LIMIT %(most)s
"""
)


@dataclass(frozen=True, slots=True)
class Lineage:
    """What a generation was made of, and what was made of its images.

    Attributes:
        sent: How many images were sent along, known ones or not.
    """

    sent: int
    origins: tuple[GalleryImage, ...]
    descendants: tuple[GalleryImage, ...]


def find_lineage(*, organization_id: UUID, generation_id: UUID) -> Lineage:
    """Return the lineage of a generation. Three queries, four of an edit.

    Raises:
        NotFoundError: It does not exist, or belongs to another organization.
    """
    how = {"organization_id": organization_id, "generation_id": generation_id}
    own = Generation.objects.filter(id=generation_id, organization_id=organization_id)
    row = own.values_list("parameters", flat=True).first()
    if row is None:
        raise NotFoundError("No such generation.")
    sent = len(row.get("inputs", ()))
    artifacts = Artifact.objects.filter(generation_id=generation_id).order_by("index")
    digests = [bytes(one).hex() for one in artifacts.values_list("sha256", flat=True)]
    return Lineage(
        sent=sent,
        origins=tuple(origins_of(**how)) if sent else (),
        descendants=tuple(made_of(organization_id=organization_id, digests=digests)),
    )


def origins_of(*, organization_id: UUID, generation_id: UUID) -> list[GalleryImage]:
    """Return the organization's images that a generation was made of, in their order. One query.

    What was sent along from elsewhere, or was deleted since, is not among them.
    """
    params = {"organization_id": organization_id, "generation_id": generation_id}
    with connection.cursor() as cursor:
        cursor.execute(_ORIGINS, params)
        return [image_of_row(row) for row in cursor]


def made_of(*, organization_id: UUID, digests: Sequence[str]) -> list[GalleryImage]:
    """Return the newest images that were made of some images, at most `MOST`. One query.

    Args:
        organization_id: Whose.
        digests: SHA-256 of the images, as lower-case hex.
    """
    inputs = [orjson.dumps([{"sha256": digest}]).decode() for digest in digests]
    params: dict[str, Any] = {"organization_id": organization_id, "inputs": inputs, "most": MOST}
    with connection.cursor() as cursor:
        cursor.execute(_DESCENDANTS, params)
        return [image_of_row(row) for row in cursor]
