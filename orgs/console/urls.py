from django.conf import settings
from django.urls import URLPattern, URLResolver, include, path
from django.views.i18n import set_language

from orgs.console.outbox import OutboxView
from orgs.console.pages import LivemodeView, ProfileView, RootView, ThemeView

urlpatterns: list[URLPattern | URLResolver] = [
    path("", RootView.as_view(), name="root"),
    path("accounts/profile", ProfileView.as_view(), name="account_profile"),
    path("accounts/theme", ThemeView.as_view(), name="set_theme"),
    path("accounts/language", set_language, name="set_language"),
    path("accounts/mode", LivemodeView.as_view(), name="set_livemode"),
    path("accounts/", include("allauth.urls")),
    path("", include("orgs.console.administration.urls")),
]
if settings.EMBEDDED:
    urlpatterns.append(path("outbox", OutboxView.as_view(), name="outbox"))
