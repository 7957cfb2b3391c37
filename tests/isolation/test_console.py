"""Who sees which page of the console: every URL in the router, as every role and as a stranger."""

import re
from dataclasses import dataclass
from typing import TypeVar
from uuid import UUID, uuid4

import pytest
from django.contrib.auth.models import AnonymousUser
from django.http import Http404
from django.test import Client, RequestFactory
from django.urls import get_resolver

from orgs.console.access import OrganizationView, StaffView
from orgs.console.outbox import OutboxView, is_open_to
from orgs.models import Membership, User
from orgs.permissions import Permission, allows
from tests.isolation.routes import Route, routes
from tests.orgs.people import Team, person
from tests.visits import signed_in

OF_AN_ORGANIZATION = "o/<uuid:organization_id>"
OF_THE_STAFF = ("operations/", "finance/")
# For everyone, or guarded by themselves.
OTHERS = ("accounts/", "static/", "invitations/")
ALONE = {"", "organizations/new", "outbox", "stripe/webhook"}
API = {route.pattern for route in routes(get_resolver("gateway.api.urls"))}
PAGES = [route for route in routes(get_resolver()) if route.pattern not in API]
OWN = [route for route in PAGES if route.pattern.startswith(OF_AN_ORGANIZATION)]
STAFF = [route for route in PAGES if route.pattern.startswith(OF_THE_STAFF)]
ROLES = list(Membership.Role.values)
REFUSED = (403,)
Guard = TypeVar("Guard")
# What a page answers that lets somebody in: itself, a way on, no such row, another method, a form
# that lacks fields.
LET_IN = (200, 302, 303, 404, 405, 400)


def path_of(route: Route, organization_id: UUID) -> str:
    """Return a path; ids in it beside the organization's are of nothing."""
    path = route.pattern.replace("<uuid:organization_id>", str(organization_id), 1)
    path = re.sub(r"<uuid:\w+>", lambda _: str(uuid4()), path)
    path = re.sub(r"<int:\w+>", "1", path)
    return "/" + re.sub(r"<\w+:\w+>", "x", path)


def _guard(route: Route, base: type[Guard]) -> type[Guard]:
    assert route.view is not None
    assert issubclass(route.view, base)
    return route.view


@dataclass
class Scene:
    """An organization, somebody for each role, and a member of another organization."""

    team: Team
    clients: dict[str, Client]
    stranger: Client


@pytest.fixture
def scene(db, pages) -> Scene:
    team, other = Team.open(), Team.open()
    return Scene(
        team,
        {role: signed_in(team.person(role).user) for role in ROLES},
        signed_in(other.person("owner").user),
    )


def test_every_url_is_known():
    unknown = [
        route.pattern
        for route in PAGES
        if route not in OWN
        and route not in STAFF
        and route.pattern not in ALONE
        and not route.pattern.startswith(OTHERS)
    ]

    assert len(OWN) > 1
    assert unknown == []


def test_every_page_of_an_organization_guards_itself_in_the_one_way():
    assert [
        route.pattern
        for route in OWN
        if route.view is None or not issubclass(route.view, OrganizationView)
    ] == []
    assert [
        route.pattern
        for route in STAFF
        if route.view is None
        or not issubclass(route.view, StaffView)
        or not route.view.staff_roles <= set(User.StaffRole.values) - {""}
    ] == []


def test_pages_lead_to_signing_in(db):
    organization_id = Team.open().organization.id
    for route in (*OWN, *STAFF):
        for method in ("get", "post"):
            answer = getattr(Client(), method)(path_of(route, organization_id))
            assert answer.status_code == 302, route.pattern
            assert answer["Location"].startswith("/accounts/login/"), route.pattern


def test_pages_do_not_exist_for_another_organization(scene: Scene):
    for route in (*OWN, *STAFF):
        for method in ("get", "post"):
            answer = getattr(scene.stranger, method)(path_of(route, scene.team.organization.id))
            assert answer.status_code == 404, route.pattern


@pytest.mark.parametrize("role", ROLES)
def test_roles_see_what_the_table_allows(scene: Scene, role: str):
    wrong = []
    for route in OWN:
        permission: Permission | None = _guard(route, OrganizationView).permission
        allowed = permission is None or allows(role, permission)
        answer = scene.clients[role].get(path_of(route, scene.team.organization.id))
        is_led_away = answer.get("Location", "").startswith("/accounts/login/")
        if is_led_away or answer.status_code not in (LET_IN if allowed else REFUSED):
            wrong.append((route.pattern, answer.status_code))

    assert wrong == []


def test_staff_roles_see_their_own_pages_alone(db, pages):
    for role in (User.StaffRole.OPERATOR, User.StaffRole.FINANCE):
        client = signed_in(person(staff_role=role).user)
        for route in STAFF:
            answer = client.get(path_of(route, uuid4()))
            expected = LET_IN if role in _guard(route, StaffView).staff_roles else (404,)
            assert answer.status_code in expected, (role, route.pattern)


@pytest.mark.parametrize(
    ("host", "staff_role", "may"),
    [
        ("127.0.0.1", "", True),
        ("0.0.0.0", "", False),
        ("0.0.0.0", "finance", False),
        ("0.0.0.0", "operator", True),
    ],
)
def test_mail_of_one_machine_is_for_whoever_is_on_it(db, settings, host, staff_role, may):
    settings.HOST = host

    assert is_open_to(person(staff_role=staff_role).user) is may
    assert is_open_to(AnonymousUser()) is (host == "127.0.0.1")


def test_mail_that_is_not_shown_is_not_found(settings):
    settings.EMBEDDED, settings.EMAIL_FILE_PATH, settings.HOST = True, "/nowhere", "192.0.2.1"
    request = RequestFactory().get("/outbox")
    request.user = AnonymousUser()

    with pytest.raises(Http404):
        OutboxView.as_view()(request)
