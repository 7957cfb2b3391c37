"""Exports: ordering a ZIP file, the inbox that lists them, and each with its progress."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final
from uuid import UUID

from django.http import Http404, HttpRequest, HttpResponse, HttpResponseBase
from django.http.response import StreamingHttpResponse
from django.shortcuts import redirect, render
from django.utils.functional import Promise
from django.utils.http import content_disposition_header
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from core.clock import now
from gateway.console.gallery.grid import GalleryPageView
from gateway.console.gallery.selection import SelectionView
from gateway.errors import InvalidRequestError, NotFoundError
from gateway.selectors.gallery import iterate_images
from gateway.services.gallery.exports import (
    MAX_IMAGES,
    find_export,
    open_export,
    order_export,
)
from gateway.services.gallery.inbox import list_exports, look_into, mark_seen
from orgs.console.access import OrganizationView

FAILED: Final = "failed"
READY: Final = "ready"
# The icon and the word of each state.
STATES: Final[Mapping[str, tuple[str, Promise]]] = {
    "queued": ("waiting", gettext_lazy("Waiting")),
    "running": ("running", gettext_lazy("Running")),
    "ready": ("ok", gettext_lazy("Ready")),
    "failed": ("failed", gettext_lazy("Failed")),
    "expired": ("off", gettext_lazy("Expired")),
}


@dataclass(frozen=True, slots=True)
class Row:
    """An export of the list; `export` is its row, which pages may not name."""

    export: Any
    state: str
    word: Promise

    @property
    def is_ready(self) -> bool:
        """Say whether its file is there."""
        return bool(self.export.status == READY)

    @property
    def is_waiting(self) -> bool:
        """Say whether it is still on its way."""
        return self.export.finished_at is None


def _row(export: Any) -> Row:  # noqa: ANN401 - a row, which pages may not name
    return Row(export, *STATES[export.status])


class ExportsView(SelectionView):
    """The inbox of exports, where one is ordered: of what was chosen, or of all that is found."""

    def get(self, request: HttpRequest) -> HttpResponse:
        """List this person's; whoever looks at the page has seen how they ended."""
        mine = {"organization_id": self.organization.id, "user_id": self.user.id}
        exports = list_exports(**mine)
        mark_seen(**mine, now=now())
        is_waiting = any(one.finished_at is None for one in exports)
        context = {"rows": [_row(one) for one in exports], "is_waiting": is_waiting}
        return render(request, "console/gallery/exports.html", context)

    def post(self, request: HttpRequest) -> HttpResponse:
        """Order it, then lead to its progress. Of prompts one may not read, nothing is exported."""
        if "everything" in request.POST:
            images = iterate_images(
                organization_id=self.organization.id,
                filters=self.filters(request.GET),
                limit=MAX_IMAGES,
            )
            chosen = self.tiles(list(images))
        else:
            chosen = self.chosen(request)
        if not chosen:
            return self.back(_("Choose images first."))
        ids = [tile.image.artifact_id for tile in chosen if tile.prompt is not None]
        if not ids:
            return self.back(_("A ZIP file has the prompts in it: choose images of your own."))
        try:
            export = order_export(
                organization_id=self.organization.id,
                user_id=self.user.id,
                artifact_ids=ids,
                now=now(),
                actor=self.actor,
            )
        except InvalidRequestError as error:
            return self.back(error.message)
        return redirect("export", organization_id=self.organization.id, export_id=export.id)


class InboxView(OrganizationView):
    """The top bar's count of exports: those on their way, and ended ones not looked at.

    Every page asks for it; who may not order any has none.
    """

    def get(self, request: HttpRequest) -> HttpResponse:
        """Show it; it asks again while something is on its way."""
        inbox = look_into(organization_id=self.organization.id, user_id=self.user.id)
        return render(request, "console/gallery/inbox.html", {"inbox": inbox})


class OneExportView(GalleryPageView):
    """A page about one ZIP file."""

    def check(self, export_id: UUID) -> Any:  # noqa: ANN401 - a row, which pages may not name
        """Return it to who may read what is in it: it has prompts.

        Raises:
            Http404: It is of others, or of nobody.
        """
        try:
            export = find_export(organization_id=self.organization.id, export_id=export_id)
        except NotFoundError as error:
            raise Http404 from error
        if export.created_by_id != self.user.id and not self.reader.reads_all:
            raise Http404
        return export


class ExportView(OneExportView):
    """A ZIP file on its way, and when it is there."""

    def get(self, request: HttpRequest, export_id: UUID) -> HttpResponse:
        """Show how far it is."""
        export = self.check(export_id)
        mark_seen(
            organization_id=self.organization.id,
            user_id=self.user.id,
            export_id=export_id,
            now=now(),
        )
        context = {"export": export, "is_ready": export.status == READY}
        context["is_failed"] = export.status == FAILED
        context["is_running"] = export.finished_at is None
        return render(request, "console/gallery/export.html", context)


class ExportFileView(OneExportView):
    """The ZIP file itself."""

    def get(self, request: HttpRequest, export_id: UUID) -> HttpResponseBase:
        """Send its bytes as they come from storage."""
        self.check(export_id)
        try:
            stream = open_export(
                organization_id=self.organization.id, export_id=export_id, now=now()
            )
        except NotFoundError as error:
            raise Http404 from error
        name = f"lienzo-{export_id.hex[:8]}.zip"
        headers = {
            "Content-Type": "application/zip",
            "Content-Length": str(stream.info.size),
            "Content-Disposition": content_disposition_header(True, name) or "",  # noqa: FBT003
            "Cache-Control": "no-store",
        }
        return StreamingHttpResponse(stream, headers=headers)
