"""Images and thumbnails as members' browsers load them, from whichever bucket they are in."""

from http import HTTPStatus
from uuid import UUID

from django.http import Http404, HttpRequest, HttpResponse, HttpResponseBase
from django.http.response import StreamingHttpResponse
from django.utils.http import content_disposition_header

from gateway.errors import NotFoundError
from gateway.services.gallery.images import CACHE_CONTROL, open_image
from gateway.services.gallery.thumbnails import open_thumbnail
from gateway.storage import NotModifiedError, ObjectStream, StorageError
from orgs.console.access import OrganizationView
from orgs.permissions import Permission


class ImageView(OrganizationView):
    """One image in full size; with `download` in the address, as a file to keep."""

    permission = Permission.VIEW_GENERATIONS

    def get(self, request: HttpRequest, generation_id: UUID, index: int) -> HttpResponseBase:
        """Send its bytes as they come from storage."""
        try:
            image = open_image(
                organization_id=self.organization.id,
                generation_id=generation_id,
                index=index,
                if_none_match=request.headers.get("If-None-Match"),
            )
        except NotModifiedError as error:
            return _unchanged(error)
        except NotFoundError as error:
            raise Http404 from error
        except StorageError:
            return _unavailable()
        response = _stream(image.stream, image.content_type)
        is_kept = "download" in request.GET
        response["Content-Disposition"] = content_disposition_header(is_kept, image.name) or ""
        return response


class ThumbnailView(OrganizationView):
    """One thumbnail."""

    permission = Permission.VIEW_GENERATIONS

    def get(self, request: HttpRequest, artifact_id: UUID, edge: int) -> HttpResponseBase:
        """Send its bytes."""
        try:
            stream = open_thumbnail(
                organization_id=self.organization.id,
                artifact_id=artifact_id,
                edge=edge,
                if_none_match=request.headers.get("If-None-Match"),
            )
        except NotModifiedError as error:
            return _unchanged(error)
        except NotFoundError as error:
            raise Http404 from error
        except StorageError:
            return _unavailable()
        return _stream(stream, stream.info.content_type)


def _stream(stream: ObjectStream, content_type: str) -> StreamingHttpResponse:
    headers = {
        "Content-Type": content_type,
        "Content-Length": str(stream.info.size),
        "ETag": stream.info.etag,
        "Cache-Control": CACHE_CONTROL,
    }
    return StreamingHttpResponse(stream, headers=headers)


def _unchanged(error: NotModifiedError) -> HttpResponse:
    headers = {"ETag": error.etag, "Cache-Control": CACHE_CONTROL}
    return HttpResponse(status=HTTPStatus.NOT_MODIFIED, headers=headers)


def _unavailable() -> HttpResponse:
    return HttpResponse(
        status=HTTPStatus.SERVICE_UNAVAILABLE,
        headers={"Retry-After": "5", "Cache-Control": "no-store"},
    )
