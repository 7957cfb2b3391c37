"""The gallery's grid, and one image of it in the drawer beside."""

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from typing import Final
from uuid import UUID

from django.http import Http404, HttpRequest, HttpResponse, QueryDict
from django.shortcuts import render
from django.urls import reverse
from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from billing.money import round_half_up_micro
from core.clock import now
from gateway.console.requests.filters import (
    Chip,
    changed,
    chip_of,
    chips_of,
    choices_of,
    read_common,
    read_uuid,
)
from gateway.selectors.gallery import (
    GalleryFilters,
    GalleryImage,
    GalleryPage,
    find_image,
    find_images,
    list_images,
)
from gateway.selectors.pages import Place
from gateway.selectors.prompts import Reader, readable_prompts
from gateway.services.gallery.thumbnails import EDGES, request_thumbnails
from orgs.console.access import OrganizationView
from orgs.permissions import Permission, may_view_prompts

PAGE: Final = 48
ADDRESS_PROMPT: Final = 800
# No image costs more, in any currency.
MOST: Final = 10**9
LABELS: Final[Mapping[str, Promise]] = {
    "q": gettext_lazy("Prompt"),
    "min": gettext_lazy("At least"),
    "max": gettext_lazy("At most"),
}


@dataclass(frozen=True, slots=True)
class Tile:
    """An image of the grid, as this reader may see it.

    Attributes:
        edge: Of the thumbnail to show; None while there is none, 0 for the image itself.
        prompt: None where the reader may not read it.
    """

    image: GalleryImage
    alt: str
    prompt: str | None
    edge: int | None
    url: str

    @property
    def playground_prompt(self) -> str:
        """Return as much of the prompt as an address holds."""
        return (self.prompt or "")[:ADDRESS_PROMPT]


class GalleryPageView(OrganizationView):
    """What pages of images have in common: who reads, and how images become tiles."""

    permission = Permission.VIEW_GENERATIONS

    @property
    def reader(self) -> Reader:
        """Return this person as one who reads prompts."""
        reads_all = may_view_prompts(
            self.membership.role, are_shared=self.organization.developers_see_prompts
        )
        return Reader(self.organization.id, self.user.id, reads_all)

    def tiles(self, images: Sequence[GalleryImage], query: str = "") -> list[Tile]:
        """Return images as they may be seen. At most one query."""
        ids = {image.generation_id for image in images}
        readable = readable_prompts(reader=self.reader, generation_ids=ids)
        return list(self._tiles(images, readable, query))

    def _tiles(
        self, images: Sequence[GalleryImage], readable: Collection[UUID], query: str
    ) -> Iterator[Tile]:
        for image in images:
            is_read = image.generation_id in readable
            yield Tile(
                image,
                (image.alt if is_read else "") or _("Image of %(model)s") % {"model": image.model},
                image.prompt if is_read else None,
                _edge(image),
                self.link(image.generation_id, image.index, query),
            )

    def link(self, generation_id: UUID, index: int, query: str) -> str:
        """Return the address of an image's drawer, over the list that a query asks for."""
        path = reverse("gallery_image", args=(self.organization.id, generation_id, index))
        return f"{path}?{query}" if query else path

    def filters(self, query: QueryDict) -> GalleryFilters:
        """Return what an address asks for; text is looked for where this person may read."""
        common = read_common(query)
        text = query.get("q", "").replace("\x00", "").strip()[:200]
        if text and not self.reader.reads_all:
            common["member_id"] = self.user.id
        return GalleryFilters(
            **common,
            livemode=self.livemode,
            min_micros=_micros(query.get("min", "")),
            max_micros=_micros(query.get("max", "")),
            text=text,
        )


class GalleryListView(GalleryPageView):
    """The list, whatever stands beside it."""

    def found(self, request: HttpRequest) -> GalleryPage:
        """Return the page of images that an address asks for."""
        return list_images(
            organization_id=self.organization.id,
            filters=self.filters(request.GET),
            limit=PAGE,
            after=Place.parse(request.GET.get("cursor", "")),
        )

    def page(self, request: HttpRequest, found: GalleryPage, **more: object) -> HttpResponse:
        """Draw the list, and what else there is."""
        query = request.GET.urlencode()
        choices = choices_of(organization_id=self.organization.id, now=now())
        context = {
            "tiles": self.tiles(found.images, query),
            "older": _older(request.GET, found),
            "newest": changed(request.GET, {"cursor": ""}),
            "chips": [*_chips(request.GET), *chips_of(request.GET, choices)],
            "choices": choices,
            "query": request.GET,
            "unmade": [one.artifact_id for one in found.images if _edge(one) is None],
            "may_delete": self.may(Permission.DELETE_IMAGES),
            "may_create": self.may(Permission.CREATE_GENERATIONS),
            "reads_all": self.reader.reads_all,
            **more,
        }
        return render(request, "console/gallery/page.html", context)


class GalleryView(GalleryListView):
    """The grid."""

    def get(self, request: HttpRequest) -> HttpResponse:
        """Show a page of images."""
        return self.page(request, self.found(request))


class GalleryImageView(GalleryListView):
    """One image, beside the list it was opened from."""

    def get(self, request: HttpRequest, generation_id: UUID, index: int) -> HttpResponse:
        """Show both."""
        found = self.found(request)
        query = request.GET.urlencode()
        places = [(one.generation_id, one.index) for one in found.images]
        at = places.index((generation_id, index)) if (generation_id, index) in places else None
        if at is None:
            image = find_image(
                organization_id=self.organization.id, generation_id=generation_id, index=index
            )
            if image is None:
                raise Http404
            beside: list[str | None] = [None, None]
        else:
            image = found.images[at]
            beside = [
                self.link(*places[one], query) if 0 <= one < len(places) else None
                for one in (at - 1, at + 1)
            ]
        path = reverse("gallery", args=(self.organization.id,))
        return self.page(
            request,
            found,
            opened=self.tiles([image])[0],
            close_url=f"{path}?{query}#image-{image.artifact_id}",
            previous_url=beside[0],
            next_url=beside[1],
        )


class GalleryThumbnailsView(GalleryPageView):
    """The tiles of a page that wait for their thumbnails: asked for until all are made."""

    def get(self, request: HttpRequest) -> HttpResponse:
        """Order what is missing, and send what is there."""
        ids = [one for text in request.GET.getlist("id") if (one := read_uuid(text))][:PAGE]
        request_thumbnails(organization_id=self.organization.id, artifact_ids=ids, now=now())
        images = find_images(organization_id=self.organization.id, artifact_ids=ids)
        tiles = self.tiles(images)
        context = {
            "made": [tile for tile in tiles if tile.edge is not None],
            "unmade": [tile.image.artifact_id for tile in tiles if tile.edge is None],
        }
        return render(request, "console/gallery/thumbnails.html", context)


def _edge(image: GalleryImage) -> int | None:
    """Return the largest thumbnail there is."""
    if image.thumbnails:
        return max(image.thumbnails)
    return 0 if len(image.unmade) == len(EDGES) else None


def _older(query: QueryDict, found: GalleryPage) -> str:
    place = found.next_place
    return changed(query, {"cursor": place.as_text()}) if place else ""


def _micros(text: str) -> int | None:
    try:
        amount = Decimal(text)
    except InvalidOperation:
        return None
    return round_half_up_micro(amount) if amount.is_finite() and 0 <= amount < MOST else None


def _chips(query: QueryDict) -> Iterator[Chip]:
    for name, label in LABELS.items():
        if text := query.get(name, "").strip():
            yield chip_of(query, name, label, text)
