"""The way in, the home page, and what the frame switches."""

from http import HTTPStatus
from typing import Any

from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.http.response import HttpResponseBase
from django.shortcuts import redirect, render
from django.urls import NoReverseMatch, reverse
from django.utils.decorators import method_decorator
from django.utils.http import url_has_allowed_host_and_scheme
from django.views import View
from django.views.decorators.csrf import csrf_exempt

from orgs.console.access import (
    INVITATION,
    LAST_ORGANIZATION,
    LIVEMODE,
    SignedInView,
)
from orgs.console.context import THEME_COOKIE, THEMES
from orgs.console.errors import is_for_people
from orgs.console.navigation import staff_sections
from orgs.selectors import User, list_memberships

YEAR_S = 365 * 86_400


@method_decorator(csrf_exempt, name="dispatch")
class RootView(View):
    """Leads to sign-in, to the organization last looked at, or to making the first one.

    Staff who are in no organization are led to their own pages.
    """

    def dispatch(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:  # noqa: ANN401
        """Say to clients of the API, whatever they send, that nothing is here."""
        if not is_for_people(request):
            raise Http404
        return super().dispatch(request, *args, **kwargs)

    def get(self, request: HttpRequest) -> HttpResponse:
        """Redirect people."""
        if not isinstance(request.user, User):
            return redirect("account_login")
        if token := request.session.pop(INVITATION, None):
            return redirect("invitation", token=token)
        memberships = list_memberships(user_id=request.user.id)
        last = request.session.get(LAST_ORGANIZATION)
        ids = [one.organization_id for one in memberships]
        if not ids:
            return redirect(_first_page_of_staff(request.user) or "new_organization")
        chosen = next((one for one in ids if str(one) == last), ids[0])
        return redirect("home", organization_id=chosen)


def _first_page_of_staff(user: User) -> str | None:
    """Return where the platform's own people begin; None for everybody else."""
    links = (
        link.url
        for section in staff_sections(staff_role=user.staff_role, path="")
        for link in section.links
    )
    return next(links, None)


class ProfileView(SignedInView):
    """Everything about the person's own account, one link each."""

    def get(self, request: HttpRequest) -> HttpResponse:
        """Show the list."""
        return render(request, "console/profile.html")


class ThemeView(View):
    """Keeps the choice of light, dark or the system's theme in a cookie."""

    def post(self, request: HttpRequest) -> HttpResponse:
        """Set it and go back."""
        theme = request.POST.get("theme", "")
        if theme not in THEMES:
            return HttpResponse(status=HTTPStatus.BAD_REQUEST)
        response = _back(request)
        response.set_cookie(THEME_COOKIE, theme, max_age=YEAR_S, samesite="Lax")
        return response


class LivemodeView(SignedInView):
    """Switches between live data and that of test keys."""

    def post(self, request: HttpRequest) -> HttpResponse:
        """Set it for the session and go back."""
        request.session[LIVEMODE] = request.POST.get("livemode") == "1"
        return _back(request)


def optional_url(name: str, **keywords: object) -> str:
    """Return the URL of a page, or nothing while there is no such page."""
    try:
        return reverse(name, kwargs=keywords)
    except NoReverseMatch:
        return ""


def _back(request: HttpRequest) -> HttpResponseRedirect:
    """Lead to where the person was, if that is here."""
    target = request.POST.get("next", "")
    if not url_has_allowed_host_and_scheme(target, allowed_hosts={request.get_host()}):
        target = reverse("root")
    return HttpResponseRedirect(target)
