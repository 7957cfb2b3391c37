"""All URLs."""

from django.urls import include, path

urlpatterns = [path("", include("gateway.api.urls"))]

handler400 = "gateway.api.errors.bad_request"
handler404 = "gateway.api.errors.page_not_found"
handler500 = "gateway.api.errors.server_error"
