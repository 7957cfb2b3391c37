"""The playground: one prompt, up to four models side by side, with prices before and after."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Final
from urllib.parse import urlencode

from django.conf import settings
from django.http import HttpRequest, HttpResponse, QueryDict
from django.shortcuts import render
from django.urls import reverse

from core.clock import now
from core.errors import AppError
from core.ids import new_uuid
from gateway.console.examples import FIRST_CALL
from gateway.console.gallery.grid import ADDRESS_PROMPT, GalleryPageView
from gateway.console.playground.code import code_of
from gateway.console.playground.form import (
    MODES,
    NOTHING,
    Choice,
    Sent,
    model_options,
    read_choice,
    read_mode,
    read_places,
    read_uploads,
)
from gateway.console.playground.history import SHOWN, PastRun, query_of
from gateway.console.playground.results import Card, Refusal, card_of, refusal_of, refusals_of
from gateway.console.requests.filters import read_uuid
from gateway.images import CONTENT_TYPES, EXTENSIONS
from gateway.selectors.gallery import GalleryImage, find_images_at
from gateway.selectors.playground.history import Run, find_run, recent_runs
from gateway.selectors.playground.lineage import origins_of
from gateway.services.playground.callers import console_caller
from gateway.services.playground.capabilities import Capabilities, model_capabilities
from gateway.services.playground.generating import (
    MAX_MODELS,
    Batch,
    batch_views,
    generate_in_console,
)
from gateway.types import Operation
from orgs.permissions import Permission
from orgs.services.api_keys import Caller

_ENDINGS: Final = {CONTENT_TYPES[name]: EXTENSIONS[name] for name in CONTENT_TYPES}


class PlaygroundPage(GalleryPageView):
    """What the playground's page is made of, whatever led to it.

    Attributes:
        sources: The organization's images that are to be edited.
    """

    permission = Permission.CREATE_GENERATIONS
    sources: Sequence[GalleryImage] = ()

    def caller(self) -> Caller:
        """Return the person as the caller of a request."""
        return console_caller(
            organization_id=self.organization.id, user_id=self.user.id, livemode=self.livemode
        )

    def choice(
        self, data: QueryDict, caller: Caller, sent: Sent | None = None
    ) -> tuple[Choice, list[Capabilities]]:
        """Return what the form says, and every model that can do it.

        `sent` is what came with the form; without it the form says what it will send.
        """
        is_edit = read_mode(data) is not Operation.GENERATION
        sent = self._sent(data, sent) if is_edit else NOTHING
        offered = model_capabilities(caller=caller, now=now(), inputs=sent.paid if is_edit else 0)
        default = caller.default_model or str(FIRST_CALL["model"])
        return read_choice(data, offered, default=default, sent=sent), offered

    def _sent(self, data: QueryDict, came: Sent | None) -> Sent:
        places = read_places(data)
        self.sources = find_images_at(organization_id=self.organization.id, places=places)
        shape = data.get("shape", "")
        if self.sources:
            shape = f"{self.sources[0].width}x{self.sources[0].height}"
        sent = came or Sent(uploads=read_uploads(data), has_mask=bool(data.get("masked")))
        # One that was deleted stays named, so that sending the form says so.
        return replace(sent, sources=tuple(places), shape=shape)

    def page(
        self,
        choice: Choice,
        offered: list[Capabilities],
        *,
        cards: list[Card] | None = None,
        refusals: list[Refusal] | None = None,
    ) -> HttpResponse:
        """Draw the page; its form has a key of its own, so that sent twice it is paid once."""
        names = self._names(choice)
        context = {
            "choice": choice,
            "models": model_options(choice, offered),
            "max_models": MAX_MODELS,
            "submission_key": new_uuid().hex,
            "currency": self.organization.currency,
            "tabs": code_of(choice, names),
            "cards": cards or [],
            "refusals": refusals or [],
            "example": FIRST_CALL["prompt"],
            "modes": self._modes(choice),
            "sources": list(zip(self.tiles(self.sources), names, strict=False)),
            "gone": len(choice.sent.sources) - len(self.sources),
            "upload_max_bytes": settings.UPLOAD_MAX_BYTES,
            **self.history(),
        }
        return render(self.request, "console/playground/page.html", context)

    def results(self, choice: Choice, offered: list[Capabilities], batch: Batch) -> HttpResponse:
        """Draw the page with what is on its way."""
        views = batch_views(organization_id=self.organization.id, batch_id=batch.id)
        cards = [card_of(view) for view in views]
        return self.page(choice, offered, cards=cards, refusals=refusals_of(batch.results))

    def history(self) -> dict[str, object]:
        """Return this person's last runs."""
        runs = recent_runs(
            organization_id=self.organization.id,
            user_id=self.user.id,
            livemode=self.livemode,
            limit=SHOWN,
        )
        tiles = self.tiles([image for run in runs for image in run.images])
        shown = iter(tiles)
        past = [PastRun(run, [next(shown) for _ in run.images]) for run in runs]
        return {
            "past": past,
            "is_running": any(not run.is_ended for run in runs),
            "unmade": [tile.image.artifact_id for tile in tiles if tile.edge is None],
        }

    def _names(self, choice: Choice) -> list[str]:
        """Return what the images are called in the code beside the form."""
        endings = [_ENDINGS.get(one.content_type, "png") for one in self.sources]
        endings += ["png"] * (max(choice.sent.images, 1) - len(endings))
        if choice.operation is Operation.GENERATION:
            return []
        return [f"image-{number}.{ending}" for number, ending in enumerate(endings, 1)]

    def _modes(self, choice: Choice) -> dict[str, str]:
        """Return the page's address for each mode, with what is kept when it changes."""
        path = reverse("playground", args=(self.organization.id,))
        kept = {
            "prompt": choice.prompt[:ADDRESS_PROMPT],
            "source": [f"{generation}/{index}" for generation, index in choice.sent.sources],
        }
        query = {name: value for name, value in kept.items() if value}
        return {
            mode or "draw": f"{path}?{urlencode({'mode': mode, **query}, doseq=True)}"
            for mode in ("", *MODES)
        }


class PlaygroundView(PlaygroundPage):
    """The form, and what comes of sending it."""

    def get(self, request: HttpRequest) -> HttpResponse:
        """Show the form as the address, or the run it names, fills it in; nothing is asked for."""
        run_id = read_uuid(request.GET.get("run", ""))
        run = None
        if run_id is not None:
            run = find_run(
                organization_id=self.organization.id, user_id=self.user.id, run_id=run_id
            )
        data = request.GET if run is None else query_of(run, self._origins(run))
        return self.page(*self.choice(data, self.caller()))

    def _origins(self, run: Run) -> list[GalleryImage]:
        if not run.parameters.get("inputs"):
            return []
        return origins_of(organization_id=self.organization.id, generation_id=run.generation_ids[0])

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
        return self.results(choice, offered, batch)


class PlaygroundPreviewView(PlaygroundPage):
    """The form after a change: what the models now offer, and what it would cost."""

    def post(self, request: HttpRequest) -> HttpResponse:
        """Show it; nothing is asked for."""
        return self.page(*self.choice(request.POST, self.caller()))


class PlaygroundHistoryView(PlaygroundPage):
    """The last runs, while one of them is on its way."""

    def get(self, request: HttpRequest) -> HttpResponse:
        """Show them."""
        return render(request, "console/playground/history.html", self.history())
