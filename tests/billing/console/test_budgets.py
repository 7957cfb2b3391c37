"""Budgets in the console: what the month has seen, and setting them."""

import pytest

from billing.selectors.budgets import get_budgets, get_wallet_status, month_of
from billing.services.budgets import change_budget
from core.clock import now
from gateway.services.onboarding import KeyTerms, open_api_key
from orgs.errors import ApiKeyNotFoundError, PermissionDeniedError
from orgs.models import ApiKey, Organization
from orgs.permissions import Permission
from tests.billing.scene import UNIT, Scene
from tests.orgs.people import Team
from tests.visits import check_doors, signed_in, visit

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("pages")]


def team_of(scene: Scene) -> Team:
    return Team(Organization.objects.get(id=scene.organization_id))


def budgets_of(scene: Scene):
    month = month_of(now(), time_zone="UTC")
    return get_budgets(organization_id=scene.organization_id, month=month)


def test_budgets_show_what_the_month_has_seen(scene):
    scene.top_up(10_000_000)
    scene.capture(scene.authorize(2).reference, images=1)
    scene.capture(scene.authorize(with_key=False).reference)
    scene.authorize()
    team = team_of(scene)
    owner = team.person("owner")
    change_budget(
        organization_id=scene.organization_id,
        api_key_id=scene.api_key_id,
        limit_micros=2 * UNIT,
        actor=owner.actor,
    )

    own, key = budgets_of(scene).own, budgets_of(scene).of_key(scene.api_key_id)
    assert (own.captured_micros, own.held_micros, own.left_micros) == (2 * UNIT, UNIT, None)
    assert (key.captured_micros, key.held_micros, key.percent) == (UNIT, UNIT, 100)
    assert key.is_spent
    page = visit(signed_in(owner.user), f"/o/{scene.organization_id}/budgets")
    assert "1.68 <span" in page
    assert "Used up" in page
    wallet = get_wallet_status(organization_id=scene.organization_id, time_zone="UTC", now=now())
    assert wallet.balance.available_micros == 10_000_000 - 3 * UNIT
    assert wallet.budget == own


def test_a_budget_is_set_changed_and_removed_and_each_is_logged(scene):
    team = team_of(scene)
    client = signed_in(team.person("billing").user)
    path = f"/o/{scene.organization_id}/budgets/{scene.api_key_id}"

    for text, limit in (("500.5", 500_500_000), ("0", 0)):
        assert client.post(path, {"limit": text}).status_code == 302
        assert budgets_of(scene).of_key(scene.api_key_id).limit_micros == limit
    client.post(path, {"limit": "0"})
    client.post(path, {"remove": "1"})
    client.post(path.replace(str(scene.api_key_id), "own"), {"limit": "7,5"})

    assert budgets_of(scene).of_key(scene.api_key_id).limit_micros is None
    assert budgets_of(scene).own.limit_micros == 7_500_000
    assert team.log().count("budget.changed") == 4
    last = team.last()
    assert last.changes == {"limit": {"before": None, "after": "7.50 MXN"}}
    assert last.object_label == "Scene"


@pytest.mark.parametrize("text", ["", "-1", "1,250", "1.250", "ten", "1e3", "0.0000001"])
def test_what_is_no_clear_amount_is_refused_and_kept_in_the_form(text, scene):
    client = signed_in(team_of(scene).person("owner").user)

    answer = client.post(f"/o/{scene.organization_id}/budgets/own", {"limit": text})

    assert answer.status_code == 200
    assert "Nothing was saved yet" in answer.content.decode()
    assert f'value="{text}"' in answer.content.decode() or not text
    assert budgets_of(scene).own.limit_micros is None


def test_others_keys_and_lesser_roles_change_nothing(scene):
    team, other = team_of(scene), Team.open()
    foreign = other.key_of(other.person("owner"))
    owner, developer = team.person("owner"), team.person("developer")

    def change(actor, api_key_id=None):
        change_budget(
            organization_id=scene.organization_id,
            api_key_id=api_key_id,
            limit_micros=1,
            actor=actor,
        )

    with pytest.raises(PermissionDeniedError):
        change(developer.actor)
    with pytest.raises(ApiKeyNotFoundError):
        change(owner.actor, foreign.id)
    client = signed_in(owner.user)
    path = f"/o/{scene.organization_id}/budgets/{foreign.id}"
    assert client.get(path).status_code == client.post(path, {"limit": "1"}).status_code == 404
    assert "budget.changed" not in team.log() + other.log()


def test_who_may_see_and_who_may_set_budgets():
    team = Team.open()
    path = f"/o/{team.organization.id}/budgets"

    check_doors(team, path, Permission.VIEW_USAGE)
    check_doors(team, f"{path}/own", Permission.MANAGE_BUDGETS)
    assert "No live API keys yet" in visit(signed_in(team.person("viewer").user), path)


def test_budgets_of_many_keys_take_no_more_queries(scene):
    organization = Organization.objects.get(id=scene.organization_id)
    for number in range(5):
        terms = KeyTerms(name=f"key {number}", budget_micros=1)
        open_api_key(organization=organization, terms=terms)
    ApiKey.objects.filter(name="key 1").update(revoked_at=now())

    page = visit(signed_in(team_of(scene).person("admin").user), f"/o/{organization.id}/budgets")

    assert "key 0" in page
    assert "key 1" not in page
