"""Where a person is signed in, to be ended one by one or all at once."""

from collections.abc import Callable

from django.conf import settings
from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _

from core.clock import now
from orgs.console.access import SignedInView
from orgs.console.devices import device_name
from orgs.selectors.people import list_sessions
from orgs.services.organizations import end_sessions, follow_session


class RenewedSessionMiddleware:
    """Follows a session whose key changes under way.

    Django changes it when `SECRET_KEY` is another and a fallback verifies the session. Costs a
    comparison where it has not changed.
    """

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self._get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        """Answer; then see whether the session still has the key of its cookie."""
        response = self._get_response(request)
        before = request.COOKIES.get(settings.SESSION_COOKIE_NAME)
        after = request.session.session_key
        if before and after and before != after and request.user.is_authenticated:
            follow_session(user_id=request.user.pk, before=before, after=after)
        return response


class SessionsView(SignedInView):
    """Lists the person's sessions and ends others than the one in use."""

    def get(self, request: HttpRequest) -> HttpResponse:
        """Show the list."""
        key = request.session.session_key
        sessions = [
            {
                "id": one.id,
                "device": device_name(one.user_agent),
                "ip": one.ip,
                "at": one.created_at,
                "is_current": one.session_key == key,
            }
            for one in list_sessions(user_id=self.user.id, now=now())
        ]
        others = sum(not one["is_current"] for one in sessions)
        context = {"sessions": sessions, "others": others}
        return render(request, "console/sessions.html", context)

    def post(self, request: HttpRequest) -> HttpResponse:
        """End one session, or all others."""
        chosen = request.POST.get("session", "")
        if chosen and not chosen.isdecimal():
            raise Http404
        ended = end_sessions(
            user_id=self.user.id,
            session_id=int(chosen) if chosen else None,
            but_key=request.session.session_key,
        )
        if ended:
            messages.success(request, _("Signed out there."))
        return redirect("usersessions_list")
