"""What is done with many images: deleting them, and sending them to be edited."""

from collections.abc import Sequence
from http import HTTPStatus
from urllib.parse import urlencode

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from core.clock import now
from gateway.console.gallery.grid import GalleryPageView, Tile
from gateway.console.requests.filters import read_uuid
from gateway.selectors.gallery import find_images
from gateway.services.gallery.deletion import MAX_IMAGES, delete_images
from orgs.permissions import Permission

# As many as one request may send along.
MOST_EDITED = 16


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


class EditImagesView(SelectionView):
    """Leads to the playground, with what was chosen as images to edit."""

    permission = Permission.CREATE_GENERATIONS

    def post(self, request: HttpRequest) -> HttpResponse:
        """Lead there."""
        chosen = self.chosen(request)
        if not chosen:
            return self.back(_("Choose images first."))
        if len(chosen) > MOST_EDITED:
            text = _("At most %(count)s images can be edited together.")
            return self.back(text % {"count": MOST_EDITED})
        places = [f"{tile.image.generation_id}/{tile.image.index}" for tile in chosen]
        path = reverse("playground", args=(self.organization.id,))
        return redirect(f"{path}?{urlencode({'mode': 'edit', 'source': places}, doseq=True)}")
