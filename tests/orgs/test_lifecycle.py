"""Settings, suspension, deletion, and what the lists show."""

from datetime import timedelta
from typing import Any

import pytest

from core.clock import now
from gateway.services.onboarding import KeyTerms, open_api_key
from orgs.errors import (
    InvalidInputError,
    OrganizationClosedError,
    OrganizationSuspendedError,
    PermissionDeniedError,
    RevokedApiKeyError,
)
from orgs.models import Membership, Organization
from orgs.selectors.api_keys import find_key, list_keys
from orgs.selectors.people import list_due_for_purge, list_members, search_organizations
from orgs.services import lifecycle
from orgs.services.api_keys import authenticate_key, caller_cache, require_active
from orgs.services.audit import SYSTEM, user_actor
from orgs.services.organization_settings import change_settings
from tests.orgs.people import ORIGIN, Team, person

pytestmark = pytest.mark.django_db


def change(team, actor, **changes):
    return change_settings(
        organization_id=team.organization.id,
        changes=changes,  # type: ignore[arg-type]  # wrong ones are tried, too
        is_known_model=lambda model_id: model_id == "dall-e-3",
        actor=actor,
    )


def caller_of(secret):
    caller_cache()._callers.clear()
    return authenticate_key(text=secret, now=now())


def test_settings_change_together_and_are_logged():
    team = Team.open()
    admin = team.person("admin")

    changed = change(
        team,
        admin.actor,
        name="  New \n name ",
        time_zone="America/Mexico_City",
        allowed_models=["dall-e-3", "dall-e-3"],
        image_retention_days=30,
        billing_country="mx",
    )

    assert (changed.name, changed.billing_country) == ("New name", "MX")
    assert Organization.objects.get(id=changed.id).allowed_models == ["dall-e-3"]
    event = team.last()
    assert event.action == "organization.settings_changed"
    assert event.changes["image_retention_days"] == {"before": None, "after": 30}
    before = team.log()
    change(team, admin.actor, image_retention_days=30)
    assert team.log() == before


@pytest.mark.parametrize(
    "changes",
    [
        {"name": " "},
        {"time_zone": "Mars/Base"},
        {"language": "fr"},
        {"image_policy": "secret"},
        {"default_model": "unknown"},
        {"allowed_models": ["unknown"]},
        {"allow_substitution": False},
        {"image_retention_days": 0},
        {"billing_country": "MEX"},
        {"billing_country": "UK"},
        {"billing_email": "nobody"},
        {"is_demo": True},
    ],
)
def test_setting_that_cannot_be_changes_nothing(changes):
    team = Team.open()

    with pytest.raises(InvalidInputError) as caught:
        change(team, SYSTEM, legal_name="Acme Inc.", **changes)

    assert caught.value.param in {*changes, "default_model"}
    assert Organization.objects.get(id=team.organization.id).legal_name == ""
    assert team.log() == ["organization.created"]


def test_each_role_changes_what_is_its_own():
    team = Team.open()
    billing, developer, owner = (team.person(r) for r in ("billing", "developer", "owner"))

    change(team, billing.actor, legal_name="Acme Inc.", tax_id="X1")
    for actor, changes in (
        (billing.actor, {"legal_name": "A", "name": "A"}),
        (developer.actor, {"legal_name": "A"}),
        (owner.actor, {"requests_per_minute": None}),
    ):
        with pytest.raises(PermissionDeniedError):
            change(team, actor, **changes)
    change(team, SYSTEM, requests_per_minute=600)

    kept = Organization.objects.get(id=team.organization.id)
    assert (kept.legal_name, kept.name, kept.requests_per_minute) == ("Acme Inc.", "Acme", 600)


def test_operator_suspends_and_resumes_with_a_reason():
    team = Team.open()
    owner, staff = team.person("owner"), person(staff_role="operator")
    operator = user_actor(staff.user, origin=ORIGIN, as_operator=True)
    _, secret = open_api_key(organization=team.organization, terms=KeyTerms(name="Key"))
    own = {"organization_id": team.organization.id}

    for actor in (owner.actor, staff.actor):
        with pytest.raises(PermissionDeniedError):
            lifecycle.suspend(**own, reason="Unpaid", actor=actor, now=now())
    with pytest.raises(InvalidInputError):
        lifecycle.suspend(**own, reason=" ", actor=operator, now=now())
    lifecycle.suspend(**own, reason="Unpaid", actor=operator, now=now())
    with pytest.raises(OrganizationSuspendedError):
        require_active(caller=caller_of(secret))
    assert team.last().changes == {"reason": {"before": "", "after": "Unpaid"}}

    lifecycle.resume(**own, reason="Paid", actor=operator)
    require_active(caller=caller_of(secret))
    assert team.log()[-2:] == ["organization.suspended", "organization.resumed"]


def test_deletion_ends_keys_at_once_and_may_be_canceled():
    team = Team.open()
    owner, admin = team.person("owner"), team.person("admin")
    _, secret = open_api_key(organization=team.organization, terms=KeyTerms(name="Key"))
    own = {"organization_id": team.organization.id}
    asked = now()

    with pytest.raises(PermissionDeniedError):
        lifecycle.request_deletion(**own, name="Acme", actor=admin.actor, now=asked)
    with pytest.raises(InvalidInputError):
        lifecycle.request_deletion(**own, name="Other", actor=owner.actor, now=asked)
    closing = lifecycle.request_deletion(**own, name="Acme", actor=owner.actor, now=asked)

    assert closing.deletion_due_at == asked + timedelta(days=30)
    with pytest.raises(RevokedApiKeyError):
        caller_of(secret)
    with pytest.raises(OrganizationClosedError):
        team.key_of(owner)
    lifecycle.cancel_deletion(**own, actor=owner.actor)
    with pytest.raises(RevokedApiKeyError):
        caller_of(secret)
    assert team.key_of(owner).revoked_at is None
    assert team.organization.id not in list_due_for_purge(now=asked + timedelta(days=31))


def test_purged_organization_has_no_members_and_keeps_its_log():
    team = Team.open()
    owner = team.person("owner")
    own = {"organization_id": team.organization.id}
    lifecycle.request_deletion(**own, name="Acme", actor=owner.actor, now=now())
    due = now() + timedelta(days=31)

    assert lifecycle.close_purged(**own, now=now()) is False
    assert team.organization.id in list_due_for_purge(now=due)
    assert lifecycle.close_purged(**own, now=due) is True

    assert not Membership.objects.filter(**own).exists()
    assert team.last().action == "organization.purged"
    with pytest.raises(PermissionDeniedError):
        lifecycle.cancel_deletion(**own, actor=owner.actor)
    with pytest.raises(OrganizationClosedError):
        lifecycle.cancel_deletion(**own, actor=SYSTEM)


def test_lists_show_people_and_keys_without_secrets(django_assert_num_queries):
    team, other = Team.open(), Team.open()
    owner, developer = team.person("owner"), team.person("developer")
    key = team.key_of(developer)
    foreign = other.key_of(other.person("owner"))
    own: dict[str, Any] = {"organization_id": team.organization.id}

    with django_assert_num_queries(1):
        members = list_members(**own)
    assert [(one.email, one.role, one.keys) for one in members] == [
        (owner.user.email, "owner", 0),
        (developer.user.email, "developer", 1),
    ]
    with django_assert_num_queries(1):
        [shown] = list_keys(organization_id=team.organization.id, now=now())
    assert (shown.id, shown.owner, shown.is_alive) == (key.id, developer.user.email, True)
    assert key.lookup not in repr(shown)
    assert find_key(**own, api_key_id=foreign.id, now=now()) is None
    with django_assert_num_queries(1):
        found, has_more = search_organizations(text=owner.user.email, limit=5)
    assert ([one.id for one in found], has_more) == ([team.organization.id], False)
    assert (found[0].members, found[0].owner) == (2, owner.user.email)
    assert search_organizations(text=str(team.organization.id), state="suspended", limit=5)[0] == []
    for text, names in (
        (f"lz_sk_live_{key.lookup[:4]}", [team.organization.id]),
        ("lz_sk_live_", []),
    ):
        found, _ = search_organizations(text=text, limit=5)
        assert [one.id for one in found] == names
    assert search_organizations(text=owner.user.email, state="demo", limit=5)[0] == []
