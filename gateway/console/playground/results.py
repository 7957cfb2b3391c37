"""What stands at the right of the playground: a card for each model's request."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from http import HTTPStatus
from typing import Final
from uuid import UUID

from django.http import Http404, HttpRequest, HttpResponse, HttpResponseBase
from django.http.response import StreamingHttpResponse
from django.shortcuts import render
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from core.errors import AppError
from gateway.errors import NotFoundError
from gateway.selectors.generations import get_generation
from gateway.selectors.reasons import reason_of
from gateway.services.playground.generating import Result, open_partial
from gateway.storage import ObjectNotFoundError
from gateway.types import GenerationView
from orgs.console.access import OrganizationView
from orgs.permissions import Permission

REFUSALS: Final[Mapping[str, Promise]] = {
    "missing_required_parameter": _("Write a prompt first."),
    "request_too_large": _("These images are too large to be sent together."),
    "insufficient_balance": _("The balance does not cover it. Top up and send it again."),
    "budget_exceeded": _("A monthly budget does not cover it."),
    "rate_limit_exceeded": _("That is more a minute than your organization may. Wait a moment."),
    "concurrency_exceeded": _("Too many images are on their way. Wait for one of them."),
    "model_not_allowed": _("Your organization does not allow this model."),
    "model_not_priced": _("This size and quality has no price, so it cannot be sold."),
    "model_retired": _("The provider has retired the model."),
    "provider_unavailable": _("No provider of this model can be reached. Try again shortly."),
    "fx_rate_stale": _("The exchange rate is too old to sell at. Try again shortly."),
    "test_keys_disabled": _("There is no sandbox here, so that nothing can be tried for free."),
    "organization_suspended": _("Your organization is suspended. Ask its owner."),
}


@dataclass(frozen=True, slots=True)
class Card:
    """A generation as the playground shows it.

    Attributes:
        seen: What the card shows; asked for with it again, nothing is sent.
        partial: The number of the newest partial image, if the end has not come.
        indexes: The images to show.
        reason: Why there is none.
        is_deleted: Whether there were some.
    """

    id: UUID
    model: str
    status: str
    seen: str
    is_ended: bool
    created_at: datetime
    seconds: float | None
    partial: int | None
    indexes: tuple[int, ...]
    size: str
    charged_micros: int
    currency: str
    reason: Promise | None
    is_deleted: bool

    @property
    def ratio(self) -> str:
        """Return the space to keep for an image, as CSS says it."""
        return self.size.replace("x", " / ") or "1 / 1"


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why a model was not asked at all."""

    model: str
    reason: Promise
    detail: str


def card_of(view: GenerationView) -> Card:
    """Return a generation as a card."""
    ended = view.finished_at
    code = str((view.error or {}).get("code", ""))
    return Card(
        id=view.id,
        model=view.requested_model,
        status=view.status,
        seen=f"{view.status}-{view.partials}",
        is_ended=view.is_terminal,
        created_at=view.created_at,
        seconds=None if ended is None else (ended - view.created_at).total_seconds(),
        partial=view.partials - 1 if view.partials and not view.is_terminal else None,
        indexes=tuple(image.index for image in view.images),
        size=str(view.parameters.get("size", "")),
        charged_micros=view.charged_micros if view.livemode else 0,
        currency=view.currency,
        reason=reason_of(code),
        is_deleted=view.is_terminal and bool(view.delivered) and not view.images,
    )


def refusals_of(results: Sequence[Result]) -> list[Refusal]:
    """Return the models that were not asked, each with the reason."""
    return [refusal_of(one.model, one.error) for one in results if one.error is not None]


def refusal_of(model: str, error: AppError) -> Refusal:
    """Return an error in plain words, with what the API says of it."""
    reason = REFUSALS.get(error.code, _("A value does not suit this model."))
    return Refusal(model, reason, error.message)


class PlaygroundResultView(OrganizationView):
    """The card of one generation, asked for again and again until its end."""

    permission = Permission.CREATE_GENERATIONS

    def get(self, request: HttpRequest, generation_id: UUID) -> HttpResponse:
        """Send the card, or nothing while it is as the page has `seen` it."""
        try:
            view = get_generation(
                organization_id=self.organization.id,
                generation_id=generation_id,
                with_attempts=False,
            )
        except NotFoundError as error:
            raise Http404 from error
        card = card_of(view)
        if card.seen == request.GET.get("seen"):
            return HttpResponse(status=HTTPStatus.NO_CONTENT)
        return render(request, "console/playground/card.html", {"card": card})


class PartialImageView(OrganizationView):
    """A partial image, while its generation runs."""

    permission = Permission.CREATE_GENERATIONS

    def get(self, request: HttpRequest, generation_id: UUID, index: int) -> HttpResponseBase:
        """Send its bytes."""
        try:
            stream = open_partial(
                organization_id=self.organization.id, generation_id=generation_id, index=index
            )
        except (NotFoundError, ObjectNotFoundError) as error:
            raise Http404 from error
        headers = {
            "Content-Type": stream.info.content_type,
            "Content-Length": str(stream.info.size),
            "Cache-Control": "private, max-age=600",
        }
        return StreamingHttpResponse(stream, headers=headers)
