"""The document, the page that shows it, the page's files, and the guide. All public."""

import hashlib
from dataclasses import dataclass
from functools import cache
from importlib import resources
from typing import Final

from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.utils.http import parse_etags

from gateway.api.errors import answer_to, as_response
from gateway.api.reference.document import document_bytes
from gateway.api.reference.guide import guide
from gateway.api.views import ProbeView
from gateway.errors import NotFoundError

_SWAGGER: Final = "static/drf_spectacular_sidecar/swagger-ui-dist"
_OURS: Final = (__package__, "page")
_THEIRS: Final = ("drf_spectacular_sidecar", _SWAGGER)
# Every file that the page loads; nothing else is ever read.
ASSETS: Final = {
    "swagger-ui.css": (*_THEIRS, "text/css; charset=utf-8"),
    "swagger-ui-bundle.js": (*_THEIRS, "text/javascript; charset=utf-8"),
    "favicon-32x32.png": (*_THEIRS, "image/png"),
    "page.css": (*_OURS, "text/css; charset=utf-8"),
    "page.js": (*_OURS, "text/javascript; charset=utf-8"),
}
# The page runs our files alone, and talks to this server alone. Its icons are data in its styles.
POLICY: Final = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:;"
    " connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
_AN_HOUR: Final = "public, max-age=3600"
_NO_STORE: Final = "no-store"


@dataclass(frozen=True, slots=True)
class _File:
    content: bytes
    content_type: str
    etag: str


class DocumentView(ProbeView):
    """`GET /openapi.json`."""

    def get(self, request: HttpRequest) -> HttpResponseBase:
        """Return the document, to pages of other origins, too."""
        response = _serve(request, _document())
        response["Access-Control-Allow-Origin"] = "*"
        return response


class PageView(ProbeView):
    """`GET /docs`."""

    def get(self, request: HttpRequest) -> HttpResponseBase:
        """Return the page."""
        response = _serve(request, _read("index.html", *_OURS, "text/html; charset=utf-8"))
        response["Content-Security-Policy"] = POLICY
        response["Referrer-Policy"] = "no-referrer"
        return response


class AssetView(ProbeView):
    """`GET /docs/assets/{name}`."""

    def get(self, request: HttpRequest, name: str) -> HttpResponseBase:
        """Return a file of the page."""
        if name not in ASSETS:
            response = as_response(answer_to(NotFoundError("No such file.")))
            response["Cache-Control"] = _NO_STORE
            return response
        return _serve(request, _read(name, *ASSETS[name]))


class GuideView(ProbeView):
    """`GET /llms.txt`."""

    def get(self, request: HttpRequest) -> HttpResponseBase:
        """Return the guide."""
        return _serve(request, _file(guide(), "text/plain; charset=utf-8"))


def _serve(request: HttpRequest, file: _File) -> HttpResponse:
    known = parse_etags(request.headers.get("If-None-Match", ""))
    if file.etag in known:
        response = HttpResponse(status=304)
        del response["Content-Type"]
    else:
        response = HttpResponse(file.content, content_type=file.content_type)
    response["ETag"] = file.etag
    response["Cache-Control"] = _AN_HOUR
    response["X-Content-Type-Options"] = "nosniff"
    return response


@cache
def _document() -> _File:
    return _file(document_bytes(), "application/json")


@cache
def _read(name: str, package: str, folder: str, content_type: str) -> _File:
    """Read a file of a package, once in each process."""
    return _file(resources.files(package).joinpath(folder, name).read_bytes(), content_type)


def _file(content: bytes, content_type: str) -> _File:
    digest = hashlib.sha256(content).hexdigest()[:32]
    return _File(content, content_type, f'"{digest}"')
