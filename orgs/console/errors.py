"""Pages for what failed: what happened, what to do, and the id of the request."""

from collections.abc import Sequence
from http import HTTPStatus

from django.db import connections
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.template.loader import render_to_string
from django.utils.translation import gettext as _

from core.ids import request_id

# Paths of pages alone. Elsewhere, only who asks for HTML gets it: others called a wrong API path.
PAGE_PREFIXES = ("/o/", "/accounts/", "/operations/", "/finance/", "/invitations/", "/outbox")


def is_for_people(request: HttpRequest) -> bool:
    """Say whether the answer is read in a browser rather than by a client of the API."""
    return (
        request.path.startswith(PAGE_PREFIXES)
        or "HX-Request" in request.headers
        or "text/html" in request.headers.get("Accept", "")
    )


def page_not_found(request: HttpRequest, exception: Exception | None = None) -> HttpResponse:
    """Answer an unknown page, and what is not this person's to know of."""
    return _page(
        request,
        HTTPStatus.NOT_FOUND,
        title=_("Nothing is here"),
        text=_(
            "This page does not exist, or it belongs to an organization that you are not a"
            " member of."
        ),
    )


def permission_denied(request: HttpRequest, exception: Exception | None = None) -> HttpResponse:
    """Answer what this person may not do."""
    return role_required(request, roles=())


def role_required(request: HttpRequest, *, roles: Sequence[str]) -> HttpResponse:
    """Answer what this person's role may not do, naming the roles that may."""
    text = _("Your role does not allow this.")
    if roles:
        text = _("Your role does not allow this. It is for: %(roles)s.") % {
            "roles": ", ".join(roles)
        }
    return _page(request, HTTPStatus.FORBIDDEN, title=_("This is not yours to see"), text=text)


def impersonation_refused(request: HttpRequest, *, text: str) -> HttpResponse:
    """Answer what an operator may not do in a member's place."""
    title = _("Not in somebody's place")
    return _page(request, HTTPStatus.FORBIDDEN, title=title, text=text)


def csrf_failed(request: HttpRequest, reason: str = "") -> HttpResponse:
    """Answer a form that was not sent from a page of ours, or from one that is out of date."""
    return _page(
        request,
        HTTPStatus.FORBIDDEN,
        title=_("This form is out of date"),
        text=_("Nothing was changed. Go back, load the page again and send the form once more."),
    )


def server_error(request: HttpRequest) -> HttpResponse:
    """Answer a crash, without whatever may be broken: no database, no frame."""
    connections.close_all()
    body = render_to_string("errors/crash.html", {"request_id": id_of(request)})
    return HttpResponse(body, status=HTTPStatus.INTERNAL_SERVER_ERROR)


def _page(request: HttpRequest, status: HTTPStatus, *, title: str, text: str) -> HttpResponse:
    context = {"title": title, "text": text, "request_id": id_of(request), "status": status.value}
    # What is raised before the session is known, such as for a broken URL, has no user.
    template = "errors/page.html" if hasattr(request, "user") else "errors/crash.html"
    return render(request, template, context, status=status)


def id_of(request: HttpRequest) -> str:
    """Return the public id of a request."""
    uuid = request.META.get("lienzo.request_uuid")
    return request_id(uuid) if uuid is not None else ""
