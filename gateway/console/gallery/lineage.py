"""Which images an edit was made of, and what was made of its images: a part of the drawer."""

from uuid import UUID

from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render

from gateway.console.gallery.grid import GalleryPageView
from gateway.errors import NotFoundError
from gateway.selectors.playground.lineage import find_lineage


class LineageView(GalleryPageView):
    """Both, as small images that lead to theirs."""

    def get(self, request: HttpRequest, generation_id: UUID) -> HttpResponse:
        """Show them."""
        try:
            lineage = find_lineage(
                organization_id=self.organization.id, generation_id=generation_id
            )
        except NotFoundError as error:
            raise Http404 from error
        tiles = self.tiles([*lineage.origins, *lineage.descendants])
        count = len(lineage.origins)
        context = {
            "is_edit": lineage.sent > 0,
            "origins": tiles[:count],
            "from_elsewhere": lineage.sent - count,
            "descendants": tiles[count:],
        }
        return render(request, "console/gallery/lineage.html", context)
