"""Which handler serves a path: calls of the API pass the API's own middleware alone."""

import pytest
from django.conf import settings
from django.http import HttpRequest
from django.urls import get_resolver

from config.wsgi import API_PREFIXES, ApiHandler
from gateway.api import urls
from tests.orgs.people import person
from tests.visits import signed_in


def test_every_url_of_the_api_is_served_without_the_consoles_middleware():
    for url in urls.urlpatterns:
        assert f"/{url.pattern}".startswith(API_PREFIXES), url


def test_no_page_is_served_by_the_api():
    pages = [
        str(one.pattern)
        for part in get_resolver().url_patterns[1:]
        for one in getattr(part, "url_patterns", [])
    ]

    assert len(pages) > 5
    assert [one for one in pages if f"/{one}".startswith(API_PREFIXES)] == []


def test_handler_of_the_api_passes_two_middlewares(monkeypatch: pytest.MonkeyPatch):
    assert [path.rpartition(".")[2] for path in settings.API_MIDDLEWARE] == [
        "SecurityMiddleware",
        "RequestContextMiddleware",
    ]
    request = HttpRequest()
    request.method, request.path, request.path_info = "GET", "/healthz", "/healthz"
    request.META = {"SERVER_NAME": "localhost", "SERVER_PORT": "80"}

    answer = ApiHandler().get_response(request)

    assert answer.status_code == 200
    assert not hasattr(request, "session")
    assert "Content-Security-Policy" not in answer.headers


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("staff_role", "page"),
    [
        ("finance", "/finance/overview"),
        ("operator", "/operations/organizations"),
        ("", "/organizations/new"),
    ],
)
def test_who_has_no_organization_begins_where_their_work_is(staff_role: str, page: str):
    client = signed_in(person(staff_role=staff_role).user)

    assert client.get("/")["Location"] == page
