from django.conf import settings
from django.urls import URLPattern, URLResolver, include, path

from orgs.console.languages import LanguageView
from orgs.console.operations.impersonation import StopImpersonationView
from orgs.console.outbox import OutboxView
from orgs.console.pages import LivemodeView, ProfileView, RootView, ThemeView
from orgs.console.sessions import SessionsView
from orgs.console.single_sign_on import begin

urlpatterns: list[URLPattern | URLResolver] = [
    path("", RootView.as_view(), name="root"),
    path("accounts/profile", ProfileView.as_view(), name="account_profile"),
    path("accounts/theme", ThemeView.as_view(), name="set_theme"),
    path("accounts/language", LanguageView.as_view(), name="set_language"),
    path("accounts/mode", LivemodeView.as_view(), name="set_livemode"),
    path("accounts/impersonation/stop", StopImpersonationView.as_view(), name="stop_impersonation"),
    path("accounts/oidc/<str:provider_id>/login/", begin, name="openid_connect_login"),
    path("accounts/sessions/", SessionsView.as_view(), name="usersessions_list"),
    path("accounts/", include("allauth.urls")),
    path("", include("orgs.console.administration.urls")),
    path("", include("orgs.console.operations.urls")),
]
if settings.EMBEDDED:
    urlpatterns.append(path("outbox", OutboxView.as_view(), name="outbox"))
