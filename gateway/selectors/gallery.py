"""The gallery: an organization's delivered images, newest first.

A page is found in the index `gateway_generation_pages` alone, whatever the filters; only what is
shown is then read. A text is looked for along the newest of the list first: where it is frequent,
they fill the page. Where they do not, it is rare, and the index of prompts has few rows of it.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final
from uuid import UUID

from django.db import connection

from gateway.models import Thumbnail
from gateway.models.generation import PROMPT_WORDS
from gateway.selectors.pages import MAX_LIMIT, CommonFilters, Place, common_conditions

ALT_LENGTH: Final = 150
# So many of the newest generations are looked through for a text: 7 ms where prompts are short,
# 50 ms where they have 1,000 characters. What they do not fill a page with is in less than a
# twentieth of the prompts.
WALKED: Final = 1000


@dataclass(frozen=True, slots=True)
class GalleryFilters(CommonFilters):
    """Which images; None for any.

    Attributes:
        min_micros: The least that one image cost, in micros of the organization's currency.
        max_micros: The most that one image cost.
        text: Words of the prompt, as in a web search: all of them, `"a phrase"`, `or`, `-not`.
    """

    min_micros: int | None = None
    max_micros: int | None = None
    text: str = ""


@dataclass(frozen=True, slots=True)
class GalleryImage:
    """One image of the grid.

    Attributes:
        prompt: Empty once it is past the organization's retention.
        alt: The start of the prompt, in one line, as the image's description.
        price_micros: What it cost; 0 for what a test key made.
        thumbnails: The edges of the thumbnails that can be shown now.
        unmade: The edges of those that cannot be made: the image itself is to be shown.
    """

    artifact_id: UUID
    generation_id: UUID
    index: int
    model: str
    prompt: str
    width: int
    height: int
    size_bytes: int
    content_type: str
    is_public: bool
    key: str
    livemode: bool
    price_micros: int
    currency: str
    created_at: datetime
    thumbnails: tuple[int, ...]
    unmade: tuple[int, ...]

    @property
    def alt(self) -> str:
        """Return the description for those who cannot see it."""
        text = " ".join(self.prompt.split())
        return text if len(text) <= ALT_LENGTH else f"{text[: ALT_LENGTH - 1].rstrip()}…"

    @property
    def place(self) -> Place:
        """Return where the list goes on after it."""
        return Place(self.created_at, self.generation_id, self.index)


@dataclass(frozen=True, slots=True)
class GalleryPage:
    """Some images; `next_place` is where the next page begins, None at the end."""

    images: tuple[GalleryImage, ...]
    next_place: Place | None


_SHOWN: Final = "generation.status = 'succeeded' AND generation.deleted_at IS NULL"
_MATCHES: Final = f"({PROMPT_WORDS}) @@ %(query)s::tsquery"
# The organization is a word of each document, and of the query.
_QUERY: Final = (
    "SELECT (websearch_to_tsquery('simple', %(text)s) && %(organization)s::tsquery)::text,"
    " numnode(websearch_to_tsquery('simple', %(text)s))"
)
_ORDER: Final = "ORDER BY created_at DESC, id DESC"
# How many were looked through, and those among them that match.
_WALK: Final = f"""
WITH newest AS MATERIALIZED (
    SELECT generation.id, generation.created_at FROM gateway_generation AS generation
    WHERE {{conditions}} {_ORDER} LIMIT %(walked)s
)
SELECT (SELECT count(*) FROM newest), ARRAY(
    SELECT newest.id FROM newest JOIN gateway_generation AS generation USING (id)
    WHERE {_MATCHES} ORDER BY newest.created_at DESC, newest.id DESC LIMIT %(limit)s
)
"""  # noqa: S608 - made of constants
# Materialized, else the list is walked for the sake of its order.
_LOOK_UP: Final = f"""
WITH found AS MATERIALIZED (
    SELECT generation.id, generation.created_at FROM gateway_generation AS generation
    WHERE {{conditions}} AND {_MATCHES}
)
SELECT ARRAY(SELECT id FROM found {_ORDER} LIMIT %(limit)s)
"""  # noqa: S608 - made of constants
COLUMNS: Final = """
SELECT artifact.id, generation.id, artifact.index, generation.model,
    coalesce(generation.parameters ->> 'prompt', ''), artifact.width, artifact.height,
    artifact.size_bytes, artifact.content_type, artifact.is_public, artifact.key,
    generation.livemode,
    CASE WHEN generation.livemode THEN generation.unit_micros ELSE 0 END, generation.currency,
    generation.created_at,
    ARRAY(SELECT edge FROM gateway_thumbnail
        WHERE artifact_id = artifact.id AND status = 'done' ORDER BY edge),
    ARRAY(SELECT edge FROM gateway_thumbnail
        WHERE artifact_id = artifact.id AND status = 'failed' ORDER BY edge)
"""
_PAGE: Final = (
    COLUMNS  # noqa: S608 - made of constants
    + """
FROM (
    SELECT generation.id, generation.created_at
    FROM gateway_generation AS generation
    WHERE {conditions}
    ORDER BY generation.created_at DESC, generation.id DESC
    LIMIT %(limit)s
) AS page
JOIN gateway_generation AS generation ON generation.id = page.id
JOIN gateway_artifact AS artifact
    ON artifact.generation_id = page.id AND artifact.deleted_at IS NULL
WHERE {after}
ORDER BY page.created_at DESC, page.id DESC, artifact.index
LIMIT %(limit)s
"""
)
_BY_ID: Final = (
    COLUMNS
    + """
FROM unnest(%(ids)s::uuid[]) WITH ORDINALITY AS wanted (id, number)
JOIN gateway_artifact AS artifact ON artifact.id = wanted.id AND artifact.deleted_at IS NULL
JOIN gateway_generation AS generation ON generation.id = artifact.generation_id
WHERE generation.organization_id = %(organization_id)s
ORDER BY wanted.number
"""
)
_BY_PLACE: Final = (
    COLUMNS
    + """
FROM unnest(%(generation_ids)s::uuid[], %(indexes)s::smallint[])
    WITH ORDINALITY AS wanted (id, index, number)
JOIN gateway_generation AS generation ON generation.id = wanted.id
JOIN gateway_artifact AS artifact
    ON artifact.generation_id = generation.id AND artifact.index = wanted.index
        AND artifact.deleted_at IS NULL
WHERE generation.organization_id = %(organization_id)s
ORDER BY wanted.number
"""
)
_COST: Final = "(CASE WHEN generation.livemode THEN generation.unit_micros ELSE 0 END)"


def list_images(
    *,
    organization_id: UUID,
    filters: GalleryFilters,
    limit: int,
    after: Place | None = None,
) -> GalleryPage:
    """Return a page of delivered images, newest first, those of one generation in their order.

    One query; with a text two or three more, with a member one more.

    Args:
        organization_id: Whose.
        filters: Which of them.
        limit: Most to return, at most `MAX_LIMIT`.
        after: The `next_place` of the page before.
    """
    limit = max(1, min(limit, MAX_LIMIT))
    conditions, params = common_conditions(filters, organization_id=organization_id)
    conditions.append(_SHOWN)
    params["limit"] = limit + 1
    for name, comparison in (("min_micros", ">="), ("max_micros", "<=")):
        if (micros := getattr(filters, name)) is not None:
            conditions.append(f"{_COST} {comparison} %({name})s")
            params[name] = micros
    shown = "true"
    if after is not None:
        # The generation of the last image may have more of them.
        conditions.append(
            "(generation.created_at, generation.id) <= (%(after_created_at)s, %(after_id)s)"
        )
        shown = "page.id <> %(after_id)s OR artifact.index > %(after_index)s"
        params["after_created_at"], params["after_id"] = after.created_at, after.generation_id
        params["after_index"] = after.index
    with connection.cursor() as cursor:
        if filters.text.strip():
            params["found"] = _search(cursor, filters.text, " AND ".join(conditions), params)
            conditions = ["generation.id = ANY(%(found)s::uuid[])"]
        statement = _PAGE.format(conditions=" AND ".join(conditions), after=shown)
        cursor.execute(statement, params)
        rows = cursor.fetchall()
    images = tuple(image_of_row(row) for row in rows[:limit])
    return GalleryPage(images, images[-1].place if len(rows) > limit else None)


def iterate_images(
    *, organization_id: UUID, filters: GalleryFilters, limit: int
) -> Iterator[GalleryImage]:
    """Yield at most so many images in the order of the list, read page by page."""
    place: Place | None = None
    while limit > 0:
        page = list_images(
            organization_id=organization_id,
            filters=filters,
            limit=min(limit, MAX_LIMIT),
            after=place,
        )
        yield from page.images
        limit -= len(page.images)
        place = page.next_place
        if place is None:
            return


def find_images(*, organization_id: UUID, artifact_ids: list[UUID]) -> list[GalleryImage]:
    """Return those of some images that are there, in the order of their ids' list. One query."""
    with connection.cursor() as cursor:
        cursor.execute(_BY_ID, {"organization_id": organization_id, "ids": artifact_ids})
        return [image_of_row(row) for row in cursor]


def find_images_at(
    *, organization_id: UUID, places: Sequence[tuple[UUID, int]]
) -> list[GalleryImage]:
    """Return those that are there of images named by generation and index. One query."""
    # Beyond what the column's type holds there is none.
    known = [(one, index) for one, index in places if 0 <= index < MAX_LIMIT]
    params: dict[str, Any] = {
        "organization_id": organization_id,
        "generation_ids": [generation_id for generation_id, _ in known],
        "indexes": [index for _, index in known],
    }
    with connection.cursor() as cursor:
        cursor.execute(_BY_PLACE, params)
        return [image_of_row(row) for row in cursor]


def find_image(*, organization_id: UUID, generation_id: UUID, index: int) -> GalleryImage | None:
    """Return one image if it is there. One query."""
    found = find_images_at(organization_id=organization_id, places=[(generation_id, index)])
    return found[0] if found else None


def thumbnail_states(*, organization_id: UUID, artifact_ids: list[UUID]) -> dict[UUID, set[int]]:
    """Return which edges can be shown, by image; for a page that waits for its thumbnails."""
    rows = Thumbnail.objects.filter(
        artifact_id__in=artifact_ids,
        artifact__generation__organization_id=organization_id,
        artifact__deleted_at__isnull=True,
        status=Thumbnail.Status.DONE,
    ).values_list("artifact_id", "edge")
    states: dict[UUID, set[int]] = {artifact_id: set() for artifact_id in artifact_ids}
    for artifact_id, edge in rows:
        states[artifact_id].add(edge)
    return states


def _search(
    cursor: Any,  # noqa: ANN401 - Django's cursor has no public type
    text: str,
    conditions: str,
    params: dict[str, Any],
) -> list[UUID]:
    """Return the newest generations that have a text and fulfill the conditions, a page of them."""
    organization = f"'{params['organization_id']}'"
    cursor.execute(_QUERY, {"text": text, "organization": organization})
    query, words = cursor.fetchone()
    if not words:
        # Nothing but punctuation: no prompt has it.
        return []
    params |= {"query": query, "walked": WALKED}
    cursor.execute(_WALK.format(conditions=conditions), params)
    walked, found = cursor.fetchone()
    if walked < WALKED or len(found) == params["limit"]:
        return list(found)
    cursor.execute(_LOOK_UP.format(conditions=conditions), params)
    return list(cursor.fetchone()[0])


def image_of_row(row: tuple[Any, ...]) -> GalleryImage:
    """Return an image of a row of `COLUMNS`."""
    *values, done, failed = row
    fields = (*values, tuple(done), tuple(failed))
    return GalleryImage(*fields)
