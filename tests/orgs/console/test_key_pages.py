"""The pages of API keys."""

import re
from datetime import timedelta
from typing import Any
from uuid import uuid4

import pytest
from django.utils import timezone

from billing.selectors.budgets import get_budgets, month_of
from core.clock import now
from gateway.services.onboarding import KeyTerms, open_api_key
from orgs.models import ApiKey
from orgs.permissions import Role
from orgs.services.api_keys import authenticate_key
from tests.orgs.people import Person, Team
from tests.visits import signed_in, visit

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("pages")]

TERMS: dict[str, Any] = {"name": "Web shop", "mode": "live", "scopes": ["images:write"]}


def keys_of(team: Team, path: str = "") -> str:
    return f"/o/{team.organization.id}/keys{path}"


def secret_in(page: str) -> str:
    found = re.search(r'value="(lz_sk_[^"]+)"', page)
    assert found, page
    return found[1]


def only_key(team: Team) -> ApiKey:
    return ApiKey.objects.get(organization=team.organization)


def test_key_is_created_with_its_terms_and_its_secret_shown_once():
    team = Team.open()
    client = signed_in(team.person("developer").user)
    assert "No API keys yet" in visit(client, keys_of(team))
    assert "Create the key" in visit(client, keys_of(team, "/new"))

    answer = client.post(
        keys_of(team, "/new"),
        {
            **TERMS,
            "budget": "500.50",
            "models_allowed": ["fal/flux-1.1-pro"],
            "cidrs": "203.0.113.0/24\n2001:db8::1",
            "requests_per_minute": "60",
            "expires_on": "2090-05-31",
        },
    )

    secret = secret_in(answer.content.decode())
    assert "no-store" in answer["Cache-Control"]
    key = authenticate_key(text=secret, now=now())
    assert key.models_allowed == {"fal/flux-1.1-pro"}
    assert key.scopes == {"images:write"}
    assert key.cidrs == ("203.0.113.0/24", "2001:db8::1")
    assert key.expires_at is not None
    assert key.expires_at.isoformat() == "2090-06-01T00:00:00+00:00"
    month = month_of(now(), time_zone="UTC")
    budgets = get_budgets(organization_id=team.organization.id, month=month)
    assert budgets.of_key(only_key(team).id).limit_micros == 500_500_000
    page = visit(client, keys_of(team))
    assert secret not in page
    assert "1 model · 500.50 USD a month · 60 requests/min · 2 networks" in page


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("name", " "),
        ("scopes", []),
        ("models_allowed", ["no/model"]),
        ("cidrs", "203.0.113.0/240"),
        ("budget", "a lot"),
        ("images_per_minute", "0"),
        ("expires_on", "2020-01-01"),
        ("mode", "either"),
    ],
)
def test_wrong_term_is_shown_at_its_field_and_the_others_stay(field: str, value: object):
    team = Team.open()
    client = signed_in(team.person("admin").user)

    page = client.post(keys_of(team, "/new"), {**TERMS, field: value}).content.decode()

    assert f'id="id_{field}_error"' in page
    assert field == "name" or 'value="Web shop"' in page
    assert not ApiKey.objects.filter(organization=team.organization).exists()


def test_terms_are_changed_and_what_the_form_cannot_say_stays():
    team = Team.open()
    owner = team.person("owner")
    expires_at = now() + timedelta(days=3, minutes=7)
    terms = KeyTerms(name="Old", models_allowed=("flux-1.1-pro",), expires_at=expires_at)
    team_key = open_api_key(organization=team.organization, terms=terms, actor=owner.actor)[0]
    # A model that has left the catalog since.
    ApiKey.objects.update(models_allowed=["flux-1.1-pro", "gone/model"])
    client = signed_in(owner.user)
    path = keys_of(team, f"/{team_key.id}/edit")
    visit(client, path)

    answer = client.post(
        path,
        {
            "name": "New",
            "scopes": ["images:read", "images:write", "billing:read", "webhooks:write"],
            "models_allowed": ["gone/model"],
            "expires_on": timezone.localtime(expires_at).date().isoformat(),
        },
    )

    assert answer.status_code == 302
    team_key.refresh_from_db()
    assert (team_key.name, team_key.scopes) == ("New", [])
    assert team_key.models_allowed == ["gone/model"]
    assert team_key.expires_at == expires_at


def test_rotation_shows_a_new_secret_beside_the_old_one_and_revocation_ends_both():
    team = Team.open()
    owner = team.person("owner")
    key, old = open_api_key(
        organization=team.organization, terms=KeyTerms(name="Bot"), actor=owner.actor
    )
    client = signed_in(owner.user)
    visit(client, keys_of(team, f"/{key.id}/rotate"))

    page = client.post(keys_of(team, f"/{key.id}/rotate"), {"overlap": "3600"}).content.decode()

    new = secret_in(page)
    assert new != old
    assert "The old secret works until" in page
    for secret in (old, new):
        assert authenticate_key(text=secret, now=now()).api_key_id == key.id
    drawer = visit(client, keys_of(team, f"/{key.id}"))
    assert "Old secret" in drawer
    assert f"{keys_of(team)}/{key.id}/revoke" in drawer

    assert client.post(keys_of(team, f"/{key.id}/revoke")).status_code == 302
    assert "No key works at present" in visit(client, keys_of(team))
    assert "Bot" in visit(client, keys_of(team) + "?show=ended")
    assert client.post(keys_of(team, f"/{key.id}/rotate"), {"overlap": "0"}).status_code == 200


def test_developers_manage_their_own_keys_and_see_the_others():
    team = Team.open()
    people: dict[str, Person] = {role: team.person(role) for role in Role.values}
    own, foreign = team.key_of(people["developer"]), team.key_of(people["owner"])
    elsewhere = Team.open()
    hidden = elsewhere.key_of(elsewhere.person("owner"))

    for role, someone in people.items():
        client = signed_in(someone.user)
        for key, may in (
            (own, role in ("owner", "admin", "developer")),
            (foreign, role in ("owner", "admin")),
        ):
            assert ("/rotate" in visit(client, keys_of(team, f"/{key.id}"))) is may, role
            for action in ("edit", "rotate"):
                status = client.get(keys_of(team, f"/{key.id}/{action}")).status_code
                assert status == (200 if may else 403), (role, action)
            if not may:
                assert client.post(keys_of(team, f"/{key.id}/revoke")).status_code == 403
        for path in (f"/{hidden.id}", f"/{uuid4()}"):
            assert client.get(keys_of(team, path)).status_code == 404
    assert not ApiKey.objects.filter(organization=team.organization, revoked_at__isnull=False)
