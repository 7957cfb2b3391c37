"""People who look at pages of the console, without a browser."""

from http import HTTPStatus

from django.conf import settings
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from orgs.permissions import Permission, Role, allows
from orgs.selectors import User
from tests.orgs.people import Team

MOST_QUERIES = 12


def signed_in(user: User, *, language: str = "en") -> Client:
    """Return a browser in which somebody has chosen a language and signed in."""
    client = Client(headers={"accept": "text/html"})
    client.cookies[settings.LANGUAGE_COOKIE_NAME] = language
    client.force_login(user)
    return client


def visit(client: Client, path: str) -> str:
    """Return a page's text; it must be there, within the most queries a page may need."""
    client.get(path)
    with CaptureQueriesContext(
        connection,
    ) as queries:
        answer = client.get(path)
    assert answer.status_code == HTTPStatus.OK, f"{path}: {answer.status_code}"
    assert len(queries) <= MOST_QUERIES, "\n".join(one["sql"] for one in queries)
    return answer.content.decode()


def check_doors(team: Team, path: str, permission: Permission | None) -> None:
    """Visit as every role, as a member of another organization, and as nobody."""
    for role in Role:
        may = permission is None or allows(role, permission)
        status = signed_in(team.person(role).user).get(path).status_code
        assert status == (HTTPStatus.OK if may else HTTPStatus.FORBIDDEN), f"{role} {path}"
    stranger = Team.open().person("owner").user
    assert signed_in(stranger).get(path).status_code == HTTPStatus.NOT_FOUND, path
    assert Client().get(path).status_code == HTTPStatus.FOUND, path
