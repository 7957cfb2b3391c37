"""Everything about one generation: what was asked, who drew it, and the way of the money."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from django.db.models import OuterRef, Subquery

from billing.selectors.entries import list_entries
from billing.selectors.terms import HoldTerms, find_terms
from billing.types import EntryDetail
from core.ids import request_id
from gateway.errors import NotFoundError
from gateway.models import Artifact, Attempt, Generation, Quote
from gateway.selectors.generations import get_generation
from gateway.selectors.requests import LoggedAttempt, logged_attempts
from gateway.types import GenerationView


@dataclass(frozen=True, slots=True)
class ImageDetail:
    """One image of it; `seed` is the provider's."""

    artifact_id: UUID
    index: int
    width: int
    height: int
    size_bytes: int
    content_type: str
    sha256: str
    seed: int | None
    revised_prompt: str
    deleted_at: datetime | None


@dataclass(frozen=True, slots=True)
class Detail:
    """One generation whole.

    Attributes:
        attempts: Their costs to us, like `cost_entries`, are for the platform's staff alone.
        quote_id: Of the quote it was made by, if by one that is still kept.
        terms: What its hold was authorized at; None for a test key's.
        entries: What was booked for it on the wallet, oldest first.
        cost_entries: What was booked for its attempts.
        request: The request as it was understood; there is no secret in it.
        answer: What the API says of it now, its images' addresses apart.
    """

    view: GenerationView
    images: tuple[ImageDetail, ...]
    attempts: tuple[LoggedAttempt, ...]
    quote_id: UUID | None
    terms: HoldTerms | None
    entries: tuple[EntryDetail, ...]
    cost_entries: tuple[EntryDetail, ...]
    request: dict[str, Any]
    answer: dict[str, Any]
    api_key_id: UUID | None
    created_by_id: UUID | None


@dataclass(frozen=True, slots=True)
class Making:
    """Who drew a generation, for people who see its price and not what was asked for."""

    model: str
    served_by: str
    quote_id: UUID | None
    attempts: tuple[LoggedAttempt, ...]


def get_making(*, organization_id: UUID, generation_id: UUID) -> Making:
    """Return who drew a generation, without what it cost us. Two queries.

    Raises:
        NotFoundError: It does not exist, or belongs to another organization.
    """
    quotes = Quote.objects.filter(generation_id=OuterRef("id")).values("id")[:1]
    rows = Generation.objects.filter(id=generation_id, organization_id=organization_id)
    found = rows.values_list("requested_model", "served_by", Subquery(quotes)).first()
    if found is None:
        raise NotFoundError(f"There is no generation {generation_id}.")
    attempts = logged_attempts([generation_id]).get(generation_id, ())
    model, served_by, quote_id = found
    return Making(model, served_by, quote_id, tuple(one.without_cost() for one in attempts))


def get_detail(*, organization_id: UUID, generation_id: UUID, for_staff: bool = False) -> Detail:
    """Return everything about a generation. Seven queries; one more for the staff.

    Args:
        organization_id: Whose it must be.
        generation_id: Which.
        for_staff: Whether what the attempts cost us is shown; else it is 0 and not read.

    Raises:
        NotFoundError: It does not exist, or belongs to another organization.
    """
    view = get_generation(
        organization_id=organization_id, generation_id=generation_id, with_attempts=False
    )
    quotes = Quote.objects.filter(generation_id=OuterRef("id")).values("id")[:1]
    api_key_id, created_by_id, quote_id = Generation.objects.values_list(
        "api_key_id", "created_by_id", Subquery(quotes)
    ).get(id=generation_id)
    attempts = logged_attempts([generation_id]).get(generation_id, ())
    calls = Attempt.objects.filter(generation_id=generation_id) if for_staff else ()
    references = [str(generation_id), *(str(one.id) for one in calls)]
    entries = list_entries(references=references)
    return Detail(
        view=view,
        images=tuple(_image(row) for row in _artifacts(generation_id)),
        attempts=attempts if for_staff else tuple(one.without_cost() for one in attempts),
        quote_id=quote_id,
        terms=find_terms(reference=str(generation_id)),
        entries=tuple(one for one in entries if one.reference == str(generation_id)),
        cost_entries=tuple(one for one in entries if one.reference != str(generation_id)),
        request=view.parameters,
        answer=_answer(view),
        api_key_id=api_key_id,
        created_by_id=created_by_id,
    )


def _artifacts(generation_id: UUID) -> list[Artifact]:
    return list(Artifact.objects.filter(generation_id=generation_id).order_by("index"))


def _image(row: Artifact) -> ImageDetail:
    return ImageDetail(
        artifact_id=row.id,
        index=row.index,
        width=row.width,
        height=row.height,
        size_bytes=row.size_bytes,
        content_type=row.content_type,
        sha256=bytes(row.sha256).hex(),
        seed=row.seed,
        revised_prompt=row.revised_prompt,
        deleted_at=row.deleted_at,
    )


def _answer(view: GenerationView) -> dict[str, Any]:
    return {
        "id": request_id(view.id),
        "status": view.status,
        "model": view.requested_model,
        "served_by": view.served_by,
        "image_adjusted": view.image_adjusted,
        "dropped": list(view.dropped_parameters),
        "usage": view.usage,
        "outcomes": list(view.undelivered),
        "error": view.error,
    }
