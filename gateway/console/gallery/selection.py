"""What is done with many images: a ZIP file with its progress, and deletion."""

from collections.abc import Sequence
from http import HTTPStatus
from typing import Any
from uuid import UUID

from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseBase
from django.http.response import StreamingHttpResponse
from django.shortcuts import redirect, render
from django.utils.http import content_disposition_header
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from core.clock import now
from gateway.console.gallery.grid import GalleryPageView, Tile
from gateway.console.requests.filters import read_uuid
from gateway.errors import InvalidRequestError, NotFoundError
from gateway.selectors.gallery import find_images, iterate_images
from gateway.services.gallery.deletion import MAX_IMAGES, delete_images
from gateway.services.gallery.exports import MAX_IMAGES as MOST_EXPORTED
from gateway.services.gallery.exports import find_export, open_export, order_export
from orgs.permissions import Permission

FAILED = "failed"
READY = "ready"


class SelectionView(GalleryPageView):
    """A page about images that were chosen in the grid."""

    def chosen(self, request: HttpRequest) -> list[Tile]:
        """Return those that are there."""
        ids = [one for text in request.POST.getlist("image") if (one := read_uuid(text))]
        images = find_images(organization_id=self.organization.id, artifact_ids=ids[:MAX_IMAGES])
        return self.tiles(images)

    def back(self, text: str) -> HttpResponse:
        """Lead to the gallery, saying why nothing was done."""
        messages.error(self.request, text)
        return redirect("gallery", organization_id=self.organization.id)


class DeleteImagesView(SelectionView):
    """Asks how many images are to go, then deletes them."""

    permission = Permission.DELETE_IMAGES

    def post(self, request: HttpRequest) -> HttpResponse:
        """Ask, or delete if their number was typed."""
        chosen = self.chosen(request)
        if not chosen:
            return self.back(_("Choose images first."))
        typed = request.POST.get("typed", "").strip()
        if typed != str(len(chosen)):
            return self._ask(request, chosen, is_wrong="typed" in request.POST)
        deleted = delete_images(
            organization_id=self.organization.id,
            artifact_ids=[tile.image.artifact_id for tile in chosen],
            now=now(),
            actor=self.actor,
        )
        count = deleted.images
        text = ngettext("%(count)s image is deleted.", "%(count)s images are deleted.", count)
        messages.success(request, text % {"count": count})
        return redirect("gallery", organization_id=self.organization.id)

    def _ask(self, request: HttpRequest, chosen: Sequence[Tile], *, is_wrong: bool) -> HttpResponse:
        context = {"tiles": chosen, "count": len(chosen), "is_wrong": is_wrong}
        status = HTTPStatus.BAD_REQUEST if is_wrong else HTTPStatus.OK
        return render(request, "console/gallery/delete.html", context, status=status)


class ExportsView(SelectionView):
    """Orders a ZIP file: of what was chosen, or of everything the address asks for."""

    def post(self, request: HttpRequest) -> HttpResponse:
        """Order it, then lead to its progress. Of prompts one may not read, nothing is exported."""
        if "everything" in request.POST:
            images = iterate_images(
                organization_id=self.organization.id,
                filters=self.filters(request.GET),
                limit=MOST_EXPORTED,
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
