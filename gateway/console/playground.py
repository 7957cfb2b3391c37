"""The playground: one prompt, up to four models side by side, with prices before and after."""

from http import HTTPStatus
from uuid import UUID

from django.conf import settings
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseBase, QueryDict
from django.http.response import StreamingHttpResponse
from django.shortcuts import render

from core.clock import now
from core.errors import AppError
from core.ids import new_uuid
from gateway.console.examples import FIRST_CALL
from gateway.console.playground_form import Choice, model_options, read_choice
from gateway.console.playground_results import Card, Refusal, card_of, refusal_of, refusals_of
from gateway.errors import NotFoundError
from gateway.selectors.generations import get_generation
from gateway.services.playground.callers import console_caller
from gateway.services.playground.capabilities import Capabilities, model_capabilities
from gateway.services.playground.code import as_curl, as_python, as_typescript
from gateway.services.playground.generating import (
    MAX_MODELS,
    batch_views,
    generate_in_console,
    open_partial,
)
from gateway.storage import ObjectNotFoundError
from orgs.console.access import OrganizationView
from orgs.permissions import Permission
from orgs.services.api_keys import Caller


class PlaygroundPage(OrganizationView):
    """What the playground's page is made of, whatever led to it."""

    permission = Permission.CREATE_GENERATIONS

    def caller(self) -> Caller:
        """Return the person as the caller of a request."""
        return console_caller(
            organization_id=self.organization.id, user_id=self.user.id, livemode=self.livemode
        )

    def choice(self, data: QueryDict, caller: Caller) -> tuple[Choice, list[Capabilities]]:
        """Return what the form says, and every model."""
        offered = model_capabilities(caller=caller, now=now())
        default = caller.default_model or str(FIRST_CALL["model"])
        return read_choice(data, offered, default=default), offered

    def page(
        self,
        choice: Choice,
        offered: list[Capabilities],
        *,
        cards: list[Card] | None = None,
        refusals: list[Refusal] | None = None,
    ) -> HttpResponse:
        """Draw the page; its form has a key of its own, so that sent twice it is paid once."""
        context = {
            "choice": choice,
            "models": model_options(choice, offered),
            "max_models": MAX_MODELS,
            "submission_key": new_uuid().hex,
            "currency": self.organization.currency,
            "tabs": _code(choice),
            "cards": cards or [],
            "refusals": refusals or [],
            "example": FIRST_CALL["prompt"],
        }
        return render(self.request, "console/playground/page.html", context)


class PlaygroundView(PlaygroundPage):
    """The form, and what comes of sending it."""

    def get(self, request: HttpRequest) -> HttpResponse:
        """Show the form as the address fills it in; nothing is asked for."""
        return self.page(*self.choice(request.GET, self.caller()))

    def post(self, request: HttpRequest) -> HttpResponse:
        """Ask each chosen model, and show what is on its way."""
        caller = self.caller()
        choice, offered = self.choice(request.POST, caller)
        try:
            batch = generate_in_console(
                caller=caller,
                body=choice.body(),
                models=[one.id for one in choice.models],
                submission_key=request.POST.get("submission_key", "")[:64],
                now=now(),
            )
        except AppError as error:
            return self.page(choice, offered, refusals=[refusal_of("", error)])
        views = batch_views(organization_id=self.organization.id, batch_id=batch.id)
        cards = [card_of(view) for view in views]
        return self.page(choice, offered, cards=cards, refusals=refusals_of(batch.results))


class PlaygroundPreviewView(PlaygroundPage):
    """The form after a change: what the models now offer, and what it would cost."""

    def post(self, request: HttpRequest) -> HttpResponse:
        """Show it; nothing is asked for."""
        return self.page(*self.choice(request.POST, self.caller()))


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


def _code(choice: Choice) -> list[tuple[str, str]]:
    """Return the request of the first model, as it will be sent, in each language."""
    body = choice.body()
    body |= {"prompt": choice.prompt or FIRST_CALL["prompt"], "response_format": "url"}
    if choice.models:
        body = {"model": choice.models[0].id, **body}
    base_url = settings.PUBLIC_BASE_URL
    return [
        ("Python", as_python(body=body, base_url=base_url)),
        ("TypeScript", as_typescript(body=body, base_url=base_url)),
        ("curl", as_curl(body=body, base_url=base_url)),
    ]
