"""An operator in a member's place: what their session reaches meanwhile, and how it ends.

The session stays the operator's own. The middleware puts the member into `request.user`, for pages
of the one organization alone; whatever is not named here is closed.
"""

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any, Final
from uuid import UUID

from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.http.response import HttpResponseBase
from django.middleware.csrf import rotate_token
from django.shortcuts import redirect
from django.urls import ResolverMatch, reverse
from django.utils.translation import gettext as _

from core.clock import now
from orgs.console.access import SignedInView, impersonation_of, origin_of
from orgs.console.errors import impersonation_refused
from orgs.permissions import Permission
from orgs.selectors import User
from orgs.services.impersonation import (
    Ending,
    Impersonation,
    find_impersonation,
    move_session,
    stop_impersonation,
)

KEY: Final = "impersonation"
SAFE_METHODS: Final = frozenset({"GET", "HEAD", "OPTIONS"})
OF_AN_ORGANIZATION: Final = "o/<uuid:organization_id>"
# Of the session itself, not of the member.
ALWAYS: Final = frozenset({"stop_impersonation", "set_theme", "set_language", "set_livemode"})
SIGN_OUT: Final = "account_logout"
# Asks what something would cost, by a form; nothing comes of it.
HARMLESS: Final = frozenset({"playground_preview"})
# A customer's money is spent by the customer.
SPENDING: Final = frozenset({Permission.CREATE_GENERATIONS, Permission.TOP_UP})


class ImpersonationMiddleware:
    """Serves an operator who acts as a member as that member, and nothing else to them."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        """Put the member in the operator's place; lead away once it has ended."""
        kept = request.session.get(KEY)
        if kept is not None:
            ended = _resume(request, kept)
            if ended is not None:
                return ended
        return self.get_response(request)

    def process_view(
        self,
        request: HttpRequest,
        view: Callable[..., HttpResponseBase],
        args: tuple[Any, ...],
        kwargs: dict[str, Any],
    ) -> HttpResponseBase | None:
        """Refuse what an operator may not do in a member's place.

        Raises:
            Http404: It is another organization's.
        """
        impersonation = impersonation_of(request)
        match = request.resolver_match
        if impersonation is None or match is None or match.url_name in ALWAYS:
            return None
        if match.url_name == SIGN_OUT:
            if request.method == "POST":
                leave(request, ending=Ending.SIGNED_OUT)
            return None
        if match.url_name == "root":
            return redirect("home", organization_id=impersonation.organization_id)
        if kwargs.get("organization_id") not in (None, impersonation.organization_id):
            raise Http404
        refusal = _refusal(impersonation, request, match, view)
        return impersonation_refused(request, text=refusal) if refusal else None


def _refusal(
    impersonation: Impersonation,
    request: HttpRequest,
    match: ResolverMatch,
    view: Callable[..., HttpResponseBase],
) -> str:
    """Return why a request may not be made in this place; nothing if it may."""
    if not match.route.startswith(OF_AN_ORGANIZATION):
        return _("This page is not the organization's. Stop acting as this person first.")
    if request.method in SAFE_METHODS or match.url_name in HARMLESS:
        return ""
    if impersonation.is_read_only:
        return _("You are looking on as this person: nothing is changed.")
    if getattr(getattr(view, "view_class", None), "permission", None) in SPENDING:
        return _("An operator does not spend a customer's money: nothing was requested.")
    return ""


class StopImpersonationView(SignedInView):
    """Makes the operator themselves again."""

    def post(self, request: HttpRequest) -> HttpResponse:
        """Stop, and lead to the organization's page of the platform."""
        impersonation = impersonation_of(request)
        if impersonation is None:
            return redirect("root")
        leave(request, ending=Ending.STOPPED)
        messages.success(request, _("You are yourself again."))
        return redirect("operations_organization", impersonation.organization_id)


def enter(request: HttpRequest, impersonation: Impersonation) -> None:
    """Keep an impersonation that was started in the operator's session, under a new key."""
    request.session[KEY] = {
        "organization_id": str(impersonation.organization_id),
        "user_id": str(impersonation.user.id),
        "reason": impersonation.reason,
        "is_read_only": impersonation.is_read_only,
        "ends_at": impersonation.ends_at.isoformat(),
    }
    _renew(request)


def leave(request: HttpRequest, *, ending: Ending) -> None:
    """End it: log that, forget it, and make the request the operator's again."""
    impersonation = impersonation_of(request)
    if impersonation is not None:
        _end(
            request,
            impersonation.operator,
            organization_id=impersonation.organization_id,
            user_id=impersonation.user.id,
            ending=ending,
        )


def _resume(request: HttpRequest, kept: Mapping[str, Any]) -> HttpResponseBase | None:
    """Make the request the member's, or end what is over and lead away."""
    operator = request.user
    if not isinstance(operator, User):
        del request.session[KEY]
        return None
    organization_id, user_id = UUID(kept["organization_id"]), UUID(kept["user_id"])
    ends_at = datetime.fromisoformat(kept["ends_at"])
    found = None
    if now() < ends_at:
        found = find_impersonation(
            organization_id=organization_id,
            user_id=user_id,
            operator=operator,
            reason=kept["reason"],
            is_read_only=kept["is_read_only"],
            ends_at=ends_at,
        )
        ending = Ending.ACCESS
    else:
        ending = Ending.TIME
    if found is not None:
        vars(request).update(user=found.user, impersonation=found)
        return None
    _end(request, operator, organization_id=organization_id, user_id=user_id, ending=ending)
    messages.warning(request, _("You no longer act as this person. Nothing was changed."))
    target = reverse("operations_organization", args=(organization_id,))
    if "HX-Request" in request.headers:
        return HttpResponse(headers={"HX-Redirect": target})
    return HttpResponseRedirect(target)


def _end(
    request: HttpRequest,
    operator: User,
    *,
    organization_id: UUID,
    user_id: UUID,
    ending: Ending,
) -> None:
    stop_impersonation(
        organization_id=organization_id,
        user_id=user_id,
        operator=operator,
        ending=ending,
        origin=origin_of(request),
    )
    request.session.pop(KEY, None)
    _renew(request)
    vars(request).update(user=operator, impersonation=None)


def _renew(request: HttpRequest) -> None:
    """Give the session another key and another CSRF token, and keep it in the list of sessions."""
    old = request.session.session_key
    request.session.cycle_key()
    rotate_token(request)
    new = request.session.session_key
    if old and new:
        move_session(from_key=old, to_key=new)
