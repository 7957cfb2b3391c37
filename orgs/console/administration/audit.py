"""The audit log: filtered by the address of the page, and exported as CSV."""

import csv
import io
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from typing import Any, ClassVar, Final, cast
from uuid import UUID

from django import forms
from django.db import connection
from django.http import Http404, HttpRequest, HttpResponse, StreamingHttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.utils import timezone
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from core.errors import AppError
from orgs.console.administration.words import ACTIONS, action_name
from orgs.console.failures import AdministrationView
from orgs.console.widgets import DayField
from orgs.permissions import Permission
from orgs.selectors.audit import (
    EXPORT_COLUMNS,
    AuditFilter,
    export_events,
    get_event,
    list_actors,
    list_events,
)

PAGE_SIZE: Final = 50
FAMILIES: Final[Mapping[str, Promise]] = {
    "": _("All"),
    "organization": _("Organization"),
    "member": _("Members"),
    "invitation": _("Invitations"),
    "api_key": _("API keys"),
    "budget": _("Budgets"),
    "webhook": _("Webhooks"),
    "image": _("Images"),
    "export": _("Exports"),
    "impersonation": _("Operators"),
}
# What makes a spreadsheet take a cell for a formula.
_FORMULA_STARTS: Final = ("=", "+", "-", "@", "\t", "\r")


class FilterForm(forms.Form):
    """Which lines; read from the address of the page."""

    action = forms.CharField(required=False, max_length=60)
    actor = forms.UUIDField(required=False)
    object = forms.CharField(required=False, max_length=64)
    since = DayField(required=False)
    until = DayField(required=False)
    cursor = forms.UUIDField(required=False)

    def actor_id(self) -> UUID | None:
        """Return who is asked for."""
        return cast("UUID | None", self.cleaned_data["actor"])

    def filters(self) -> AuditFilter:
        """Return what is asked for; days are whole ones of the organization's zone."""
        asked = self.cleaned_data
        return AuditFilter(
            actor_id=self.actor_id(),
            action=asked["action"],
            object_id=asked["object"],
            since=_start_of(asked["since"]),
            until=_start_of(asked["until"] + timedelta(days=1)) if asked["until"] else None,
        )


@dataclass(frozen=True, slots=True)
class Chip:
    """A kind of actions to choose."""

    label: Promise
    url: str
    is_on: bool


@dataclass(frozen=True, slots=True)
class Change:
    """One field before and after."""

    name: str
    before: str
    after: str


@dataclass(frozen=True, slots=True)
class EventRow:
    """A line of the log as the page draws it."""

    id: UUID
    at: datetime
    title: str
    actor: str
    impersonator: str
    object_label: str
    url: str
    organization: str = ""


class AuditPages:
    """What the log of an organization and that of all organizations have in common.

    Attributes:
        list_name: The URL of the list,
        event_name: of one line beside it,
        export_name: and of the file.
        columns: Of the file.
        log_id: Whose log; None is all.
        place: What the URLs need.
    """

    request: HttpRequest
    list_name: ClassVar[str]
    event_name: ClassVar[str]
    export_name: ClassVar[str]
    columns: ClassVar[Sequence[str]] = EXPORT_COLUMNS
    form_class: ClassVar[type[FilterForm]] = FilterForm

    @property
    def log_id(self) -> UUID | None:
        """Return whose log it is."""
        return None

    @property
    def place(self) -> dict[str, object]:
        """Return the keywords of the URLs."""
        return {}

    def more(self) -> dict[str, object]:
        """Return what the page shows beyond the lines."""
        return {}

    def page(self, request: HttpRequest, event_id: UUID | None) -> HttpResponse:
        """Return a page of the list, with one of its lines beside it if that is asked for."""
        form = filter_form(request, self.form_class)
        try:
            events, has_more = list_events(
                organization_id=self.log_id,
                filters=form.filters(),
                limit=PAGE_SIZE,
                after=form.cleaned_data["cursor"],
            )
        except AppError as error:
            raise Http404 from error
        rows = [self._row(event) for event in events]
        query = request.GET.urlencode()
        context = {
            "rows": rows,
            "next_cursor": str(rows[-1].id) if has_more else "",
            "chips": [self._chip(family, form.cleaned_data["action"]) for family in FAMILIES],
            "families": [(word, label) for word, label in FAMILIES.items() if word],
            "action_names": list(ACTIONS.items()),
            "action": form.cleaned_data["action"],
            "asked": form.cleaned_data,
            "is_filtered": any(form.cleaned_data.values()),
            "query": f"?{query}" if query else "",
            "log_url": reverse(self.list_name, kwargs=self.place),
            "export_url": reverse(self.export_name, kwargs=self.place),
            "is_of_all": self.log_id is None,
            **self.more(),
        }
        if event_id is not None:
            context |= self._beside(event_id, rows)
        return render(request, "console/audit/list.html", context)

    def file(self, request: HttpRequest) -> StreamingHttpResponse:
        """Return the filtered log as CSV; the first batch is read before the answer begins."""
        filters = filter_form(request, self.form_class).filters()
        batches = export_events(organization_id=self.log_id, filters=filters)
        first = next(batches, [])
        response = StreamingHttpResponse(
            _csv(self.columns, first, batches), content_type="text/csv; charset=utf-8"
        )
        response["Content-Disposition"] = 'attachment; filename="audit-log.csv"'
        response["Cache-Control"] = "no-store"
        return response

    def _chip(self, family: str, chosen: str) -> Chip:
        query = self.request.GET.copy()
        for name in ("action", "cursor"):
            query.pop(name, None)
        if family:
            query["action"] = family
        path = reverse(self.list_name, kwargs=self.place)
        url = f"{path}?{text}" if (text := query.urlencode()) else path
        return Chip(FAMILIES[family], url, chosen.partition(".")[0] == family)

    def _row(self, event: Any) -> EventRow:  # noqa: ANN401 - a row of the log, a model's
        path = reverse(self.event_name, kwargs={**self.place, "event_id": event.id})
        query = self.request.GET.urlencode()
        is_of_all = self.log_id is None and event.organization is not None
        return EventRow(
            id=event.id,
            at=event.created_at,
            title=action_name(event.action),
            actor=event.actor_label,
            impersonator=event.impersonator_label,
            object_label=event.object_label,
            url=f"{path}?{query}" if query else path,
            organization=event.organization.name if is_of_all else "",
        )

    def _beside(self, event_id: UUID, rows: list[EventRow]) -> dict[str, object]:
        event = get_event(organization_id=self.log_id, event_id=event_id)
        if event is None:
            raise Http404
        place = next((at for at, row in enumerate(rows) if row.id == event_id), None)
        urls = ["", *(row.url for row in rows), ""]
        return {
            "event": event,
            "event_title": action_name(event.action),
            "changes": _changes(event.changes),
            "previous_url": "" if place is None else urls[place],
            "next_url": "" if place is None else urls[place + 2],
        }


class OwnAuditPages(AuditPages, AdministrationView):
    """The log of the page's organization."""

    permission = Permission.VIEW_AUDIT
    list_name, event_name, export_name = "audit_log", "audit_event", "audit_export"

    @property
    def log_id(self) -> UUID:
        """Return whose log it is."""
        return self.organization.id

    @property
    def place(self) -> dict[str, object]:
        """Return the keywords of the URLs."""
        return {"organization_id": self.organization.id}

    def more(self) -> dict[str, object]:
        """Return who may be chosen. One query."""
        return {"actors": list_actors(organization_id=self.organization.id)}


class AuditLogView(OwnAuditPages):
    """The log, and beside it one of its lines."""

    def get(self, request: HttpRequest, event_id: UUID | None = None) -> HttpResponse:
        """Show a page of it."""
        return self.page(request, event_id)


class AuditExportView(OwnAuditPages):
    """The filtered log as CSV, however long it is."""

    def get(self, request: HttpRequest) -> StreamingHttpResponse:
        """Stream it."""
        return self.file(request)


def filter_form(request: HttpRequest, form_class: type[FilterForm]) -> FilterForm:
    """Return the filters of a page's address.

    Raises:
        Http404: One of them is none that a page links to.
    """
    form = form_class(request.GET)
    if not form.is_valid():
        raise Http404
    return form


def _csv(
    columns: Sequence[str],
    first: list[dict[str, str]],
    batches: Iterator[list[dict[str, str]]],
) -> Iterator[str]:
    yield ",".join(columns) + "\r\n"
    batch: list[dict[str, str]] | None = first
    while batch:
        text = io.StringIO()
        writer = csv.writer(text)
        writer.writerows([_plain(row[name]) for name in columns] for row in batch)
        if not connection.in_atomic_block:
            # Whoever reads slowly must not hold a connection meanwhile.
            connection.close()
        yield text.getvalue()
        batch = next(batches, None)
    if not connection.in_atomic_block:
        connection.close()


def _plain(text: str) -> str:
    return f"'{text}" if text.startswith(_FORMULA_STARTS) else text


def _changes(changes: Mapping[str, Mapping[str, object]]) -> list[Change]:
    return [
        Change(name, _written(change.get("before")), _written(change.get("after")))
        for name, change in changes.items()
    ]


def _written(value: object) -> str:
    if value is None or value in ("", []):
        return "—"
    if isinstance(value, list):
        return ", ".join(str(one) for one in value)
    if isinstance(value, bool):
        return "✓" if value else "✗"
    return str(value)


def _start_of(day: date | None) -> datetime | None:
    return None if day is None else timezone.make_aware(datetime.combine(day, time.min))
