"""The request log: live, filtered, one request beside it, asked for again, and as CSV."""

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from http import HTTPStatus
from typing import Final
from uuid import UUID

from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse, QueryDict
from django.http.response import StreamingHttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from core.clock import now
from core.errors import AppError
from core.ids import new_uuid, parse_request_id, request_id
from gateway.console.gallery.grid import GalleryPageView
from gateway.console.playground.results import refusal_of
from gateway.console.requests.filters import (
    Chip,
    changed,
    chip_of,
    chips_of,
    choices_of,
    read_common,
    read_uuid,
)
from gateway.errors import NotFoundError
from gateway.selectors.pages import Order, Place
from gateway.selectors.prompts import readable_prompts
from gateway.selectors.requests import (
    STATUSES,
    LoggedRequest,
    RequestFilters,
    RequestPage,
    Stages,
    export_requests,
    list_requests,
)
from gateway.services.playground.generating import run_again
from orgs.console.access import OrganizationView
from orgs.permissions import Permission

PAGE: Final = 40
# In another order than that of time, all of a period is looked at.
SORTED: Final = timedelta(days=31)
# Of each status: how it is drawn, and its word.
STATES: Final[Mapping[str, tuple[str, Promise]]] = {
    "queued": ("waiting", gettext_lazy("Waiting")),
    "running": ("running", gettext_lazy("Running")),
    "succeeded": ("ok", gettext_lazy("Succeeded")),
    "failed": ("failed", gettext_lazy("Failed")),
    "canceled": ("off", gettext_lazy("Canceled")),
}


COLUMNS_KEY: Final = "request_columns"
USUAL: Final = ("state", "when", "stages", "attempts", "charged")
OPTIONAL: Final[Mapping[str, Promise]] = {
    "state": gettext_lazy("State"),
    "when": gettext_lazy("When"),
    "key": gettext_lazy("API key"),
    "user": gettext_lazy("User"),
    "served_by": gettext_lazy("Drawn by"),
    "images": gettext_lazy("Images"),
    "stages": gettext_lazy("Stages"),
    "attempts": gettext_lazy("Attempts"),
    "charged": gettext_lazy("Charged"),
}


@dataclass(frozen=True, slots=True)
class StatusOption:
    """A status to choose."""

    value: str
    word: Promise


@dataclass(frozen=True, slots=True)
class Row:
    """A line of the log, as this reader may see it.

    Attributes:
        prompt: None where the reader may not read it, or where it is no longer kept.
        is_private: Whether the reader may not read it.
        waiting: How much of the bar it waited, of 100 for the slowest request shown.
        working: How much of the bar it was worked on, without storing where that is known.
        storing: How much of the bar was storing.
        key: The name of the API key that asked for it.
    """

    request: LoggedRequest
    public_id: str
    prompt: str | None
    is_private: bool
    url: str
    state: str
    word: Promise
    waiting: float
    working: float
    storing: float
    key: str = ""

    @property
    def storing_from(self) -> float:
        """Return where storing begins in the bar."""
        return self.waiting + self.working

    @property
    def charged_micros(self) -> int:
        """Return what was charged; nothing in test mode."""
        return self.request.charged_micros if self.request.livemode else 0


class LogView(GalleryPageView):
    """The list, whatever stands beside it."""

    def filters(self, query: QueryDict) -> RequestFilters:  # type: ignore[override] # of the log
        """Return what an address asks for."""
        status = query.get("status")
        common = read_common(query)
        if order_of(query) is not Order.TIME:
            first = (common["created_before"] or now()) - SORTED
            common["created_after"] = max(common["created_after"] or first, first)
        return RequestFilters(
            **common,
            livemode=self.livemode,
            status=status if status in STATUSES else None,
            error_code=query.get("error") or None,
            search=query.get("q", "").replace("\x00", "").strip()[:200],
        )

    def found(self, query: QueryDict) -> RequestPage:
        """Return the page of the log that an address asks for."""
        return list_requests(
            organization_id=self.organization.id,
            filters=self.filters(query),
            limit=PAGE,
            after=Place.parse(query.get("cursor", "")),
            order=order_of(query),
        )

    def rows(self, requests: Sequence[LoggedRequest], query: QueryDict) -> list[Row]:
        """Return requests as they may be seen. At most one query."""
        readable = readable_prompts(reader=self.reader, generation_ids=[one.id for one in requests])
        longest = max((one.stages.total_s or 0 for one in requests), default=0) or 1
        rows = []
        for one in requests:
            state, word = STATES[one.status]
            rows.append(
                Row(
                    one,
                    request_id(one.id),
                    one.prompt if one.id in readable else None,
                    one.id not in readable,
                    self.link_to(one.id, query),
                    state,
                    word,
                    *_bar(one.stages, longest),
                )
            )
        return rows

    def link_to(self, generation_id: UUID, query: QueryDict) -> str:
        """Return the address of a request's drawer, over the list that a query asks for."""
        path = reverse("request", args=(self.organization.id, generation_id))
        return path + changed(query, {})

    def page(
        self, query: QueryDict, rows: Sequence[Row], found: RequestPage, **more: object
    ) -> HttpResponse:
        """Draw the list, and what else there is."""
        choices = choices_of(organization_id=self.organization.id, now=now())
        names: dict[UUID | None, str] = {one.id: one.name for one in choices.keys}
        rows = [replace(row, key=names.get(row.request.api_key_id, "")) for row in rows]
        order = order_of(query)
        is_paused = query.get("live") == "off"
        context = {
            "rows": rows,
            "older": _older(query, found),
            "newest": changed(query, {"cursor": ""}),
            "chips": [*_chips(query), *chips_of(query, choices)],
            "choices": choices,
            "statuses": [StatusOption(value, STATES[value][1]) for value in STATUSES],
            "query": query,
            "is_paused": is_paused,
            "is_live": not is_paused and "cursor" not in query and order is Order.TIME,
            "order": order.value,
            "order_links": {one.value: _in_order(query, one) for one in Order},
            "columns": chosen_columns(self.request),
            "column_options": list(OPTIONAL.items()),
            "here": changed(query, {}).removeprefix("?"),
            "live_toggle": changed(query, {"live": "" if is_paused else "off", "cursor": ""}),
            "look_again": changed(query, {"seen": _seen(found)}),
            "csv_query": changed(query, {"cursor": "", "live": ""}),
            "may_create": self.may(Permission.CREATE_GENERATIONS),
            **more,
        }
        return render(self.request, "console/requests/page.html", context)


class RequestsView(LogView):
    """The log; asked for with what the page has `seen`, nothing is sent while that is so."""

    def get(self, request: HttpRequest) -> HttpResponse:
        """Show a page of it."""
        query = _without_seen(request.GET)
        found = self.found(query)
        if request.GET.get("seen") == _seen(found):
            return HttpResponse(status=HTTPStatus.NO_CONTENT)
        return self.page(query, self.rows(found.requests, query), found)


class RequestView(LogView):
    """One request, beside the list it was opened from."""

    def get(self, request: HttpRequest, generation_id: UUID) -> HttpResponse:
        """Show both."""
        query = _without_seen(request.GET)
        found = self.found(query)
        ids = [one.id for one in found.requests]
        shown = list(found.requests)
        if generation_id not in ids:
            shown += list_requests(
                organization_id=self.organization.id,
                filters=RequestFilters(search=request_id(generation_id)),
                limit=1,
            ).requests
        rows = self.rows(shown, query)
        opened = next((row for row in rows if row.request.id == generation_id), None)
        if opened is None:
            raise Http404
        at = ids.index(generation_id) if generation_id in ids else None
        return self.page(
            query,
            rows[: len(ids)],
            found,
            opened=opened,
            close_url=reverse("requests", args=(self.organization.id,)) + changed(query, {}),
            previous_url=rows[at - 1].url if at else None,
            next_url=rows[at + 1].url if at is not None and at + 1 < len(ids) else None,
            submission_key=new_uuid().hex,
        )


class RunAgainView(GalleryPageView):
    """Asks for a request's images anew."""

    permission = Permission.CREATE_GENERATIONS

    def post(self, request: HttpRequest, generation_id: UUID) -> HttpResponse:
        """Ask, and lead to the new request. Whose prompt may not be read is not run again."""
        if not readable_prompts(reader=self.reader, generation_ids=[generation_id]):
            raise Http404
        try:
            new_id = run_again(
                organization_id=self.organization.id,
                generation_id=generation_id,
                user_id=self.user.id,
                submission_key=request.POST.get("submission_key", "")[:64],
                now=now(),
            )
        except NotFoundError as error:
            raise Http404 from error
        except AppError as error:
            refusal = refusal_of("", error)
            text = _("%(reason)s You were not charged.") % {"reason": refusal.reason}
            messages.error(request, text)
            return redirect("request", self.organization.id, generation_id)
        messages.success(request, _("It runs again, at today's price."))
        return redirect("request", self.organization.id, new_id)


class RequestsCsvView(LogView):
    """The log as a file for spreadsheets; there are no prompts in it."""

    def get(self, request: HttpRequest) -> StreamingHttpResponse:
        """Send its lines as they are read."""
        lines = export_requests(
            organization_id=self.organization.id,
            filters=self.filters(request.GET),
            order=order_of(request.GET),
        )
        headers = {
            "Content-Disposition": 'attachment; filename="requests.csv"',
            "Cache-Control": "no-store",
        }
        return StreamingHttpResponse(lines, content_type="text/csv; charset=utf-8", headers=headers)


class RequestColumnsView(OrganizationView):
    """Keeps which columns of the log somebody wants to see, for as long as they are signed in."""

    permission = Permission.VIEW_GENERATIONS

    def post(self, request: HttpRequest) -> HttpResponse:
        """Keep them, and lead back to the list."""
        asked = request.POST.getlist("columns")
        request.session[COLUMNS_KEY] = [name for name in OPTIONAL if name in asked]
        query = QueryDict(request.POST.get("query", "")[:2000])
        return redirect(reverse("requests", args=(self.organization.id,)) + changed(query, {}))


class SearchView(OrganizationView):
    """The search of the top bar: an id leads to its request, words to the gallery."""

    permission = Permission.VIEW_GENERATIONS

    def get(self, request: HttpRequest) -> HttpResponse:
        """Lead there."""
        text = request.GET.get("q", "").strip()
        known = parse_request_id(text) or read_uuid(text)
        page = "requests" if known or text.startswith("req_") else "gallery"
        query = QueryDict(mutable=True)
        query["q"] = text
        return redirect(f"{reverse(page, args=(self.organization.id,))}?{query.urlencode()}")


def order_of(query: QueryDict) -> Order:
    """Return the order that an address asks for."""
    text = query.get("sort", "")
    return Order(text) if text in Order.__members__.values() else Order.TIME


def chosen_columns(request: HttpRequest) -> list[str]:
    """Return the columns that somebody sees beside the request itself."""
    chosen: list[str] = request.session.get(COLUMNS_KEY, list(USUAL))
    return chosen


def _in_order(query: QueryDict, order: Order) -> str:
    return changed(query, {"sort": "" if order is Order.TIME else order.value, "cursor": ""})


def _bar(stages: Stages, longest: float) -> tuple[float, float, float]:
    """Return the parts of a bar, of 100 for the longest one: waiting, provider and storing."""
    working = stages.working_s if stages.provider_s is None else stages.provider_s
    parts = (stages.waiting_s or 0, working or 0, stages.storing_s or 0)
    waiting, provider, storing = (100 * part / longest for part in parts)
    return waiting, provider, storing


def _without_seen(query: QueryDict) -> QueryDict:
    copy = query.copy()
    copy.pop("seen", None)
    return copy


def _seen(found: RequestPage) -> str:
    """Return what stands for a page of the log: it changes when a line of it does."""
    lines = "".join(f"{one.id}{one.status}{len(one.attempts)}" for one in found.requests)
    return hashlib.sha256(lines.encode()).hexdigest()[:16]


def _older(query: QueryDict, found: RequestPage) -> str:
    place = found.next_place
    return changed(query, {"cursor": place.as_text()}) if place else ""


def _chips(query: QueryDict) -> Iterator[Chip]:
    if text := query.get("q", "").strip():
        yield chip_of(query, "q", gettext_lazy("Id"), text)
    if (status := query.get("status", "")) in STATES:
        yield chip_of(query, "status", gettext_lazy("State"), str(STATES[status][1]))
    if code := query.get("error", ""):
        yield chip_of(query, "error", gettext_lazy("Error"), code)
