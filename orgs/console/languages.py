"""The language of a page: the person's choice, else the organization's, else the browser's."""

from collections.abc import Callable

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.utils import translation
from django.views import View
from django.views.i18n import set_language

from orgs.selectors import User
from orgs.services.organizations import choose_language

# The language of the organization last looked at, of somebody who never chose one.
FALLBACK = "language"


class LanguageMiddleware:
    """Speaks a person's language; `LocaleMiddleware` before it knows the browser's alone."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self._get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        """Serve in the language that was chosen, or fell back to."""
        if language := chosen_language(request) or request.session.get(FALLBACK, ""):
            translation.activate(language)
        return self._get_response(request)


class LanguageView(View):
    """Keeps a choice of language: in the browser, and with the person once they have signed in."""

    def post(self, request: HttpRequest) -> HttpResponse:
        """Set it and go back."""
        language = request.POST.get("language", "")
        is_own = getattr(request, "impersonation", None) is None
        if isinstance(request.user, User) and is_own and language in dict(settings.LANGUAGES):
            choose_language(user=request.user, language=language)
        response: HttpResponse = set_language(request)
        return response


def chosen_language(request: HttpRequest) -> str:
    """Return what the person chose, here or elsewhere; nothing if they never did."""
    if isinstance(request.user, User) and request.user.language:
        return request.user.language
    cookie = request.COOKIES.get(settings.LANGUAGE_COOKIE_NAME, "")
    return cookie if cookie in dict(settings.LANGUAGES) else ""


def fall_back_to_language(request: HttpRequest, language: str) -> None:
    """Speak an organization's language from here on to somebody who never chose one."""
    if chosen_language(request):
        return
    if request.session.get(FALLBACK) != language:
        request.session[FALLBACK] = language
    translation.activate(language)
