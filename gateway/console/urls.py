from django.urls import URLPattern, URLResolver, path

from gateway.console.start import NewOrganizationView

urlpatterns: list[URLPattern | URLResolver] = [
    path("organizations/new", NewOrganizationView.as_view(), name="new_organization"),
]
