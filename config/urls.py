"""All URLs."""

from django.urls import include, path

urlpatterns = [
    path("", include("gateway.api.urls")),
    path("", include("orgs.console.urls")),
    path("", include("billing.console.urls")),
    path("", include("gateway.console.urls")),
]

handler400 = "config.errors.bad_request"
handler403 = "config.errors.permission_denied"
handler404 = "config.errors.page_not_found"
handler500 = "config.errors.server_error"
