"""Roles, leaving, and that an owner always remains."""

import threading
from typing import Any

import pytest
from django.db import IntegrityError, connection, transaction

from core.clock import now
from orgs.errors import (
    LastOwnerError,
    MemberHasKeysError,
    MemberNotFoundError,
    PermissionDeniedError,
)
from orgs.models import ApiKey, Membership
from orgs.services.key_administration import revoke_api_key
from orgs.services.members import change_role, remove_member, transfer_ownership
from tests.orgs.people import Team


def test_admin_changes_roles_below_owner_and_others_none(db):
    team = Team.open()
    owner, admin, viewer = (team.person(role) for role in ("owner", "admin", "viewer"))
    to = {"organization_id": team.organization.id}

    change_role(**to, user_id=viewer.user.id, role="developer", actor=admin.actor)

    assert team.role(viewer) == "developer"
    assert team.last().changes == {"role": {"before": "viewer", "after": "developer"}}
    for actor, whom, role in (
        (admin, viewer, "owner"),
        (admin, owner, "viewer"),
        (viewer, viewer, "admin"),
        (team.person(), viewer, "admin"),
    ):
        with pytest.raises(PermissionDeniedError):
            change_role(**to, user_id=whom.user.id, role=role, actor=actor.actor)
    assert (team.role(owner), team.role(viewer)) == ("owner", "developer")


def test_last_owner_stays(db):
    team = Team.open()
    owner = team.person("owner")
    team.person("admin")
    to: dict[str, Any] = {
        "organization_id": team.organization.id,
        "user_id": owner.user.id,
        "actor": owner.actor,
    }

    with pytest.raises(LastOwnerError):
        change_role(**to, role="admin")
    with pytest.raises(LastOwnerError):
        remove_member(**to, now=now())

    assert team.role(owner) == "owner"


def test_database_keeps_the_last_owner_from_any_program(db):
    team = Team.open()
    owner = team.person("owner")
    rows = Membership.objects.filter(user=owner.user)

    with pytest.raises(IntegrityError, match="without an owner"), transaction.atomic():
        rows.update(role="viewer")
    with pytest.raises(IntegrityError, match="without an owner"), transaction.atomic():
        rows.delete()

    assert team.role(owner) == "owner"


@pytest.mark.parametrize("how", ["services", "rows"])
def test_two_owners_who_demote_each_other_leave_one(committed, how):
    team = Team.open()
    pair = [team.person("owner"), team.person("owner")]
    start = threading.Barrier(2)
    refused = []

    def demote(actor, whom):
        start.wait(10)
        try:
            if how == "services":
                change_role(
                    organization_id=team.organization.id,
                    user_id=whom.user.id,
                    role="viewer",
                    actor=actor.actor,
                )
            else:
                with transaction.atomic():
                    Membership.objects.filter(user=whom.user).update(role="viewer")
        except (PermissionDeniedError, LastOwnerError, IntegrityError) as error:
            refused.append(error)
        finally:
            connection.close()

    threads = [
        threading.Thread(target=demote, args=pair),
        threading.Thread(target=demote, args=pair[::-1]),
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)

    assert sorted(str(team.role(one)) for one in pair) == ["owner", "viewer"]
    assert len(refused) == 1


def test_ownership_moves_and_its_former_owner_is_an_admin(db):
    team = Team.open()
    owner, other, heir = team.person("owner"), team.person("owner"), team.person("viewer")
    to = {"organization_id": team.organization.id}

    with pytest.raises(PermissionDeniedError):
        transfer_ownership(**to, to_user_id=heir.user.id, actor=heir.actor)
    with pytest.raises(MemberNotFoundError):
        transfer_ownership(**to, to_user_id=team.person().user.id, actor=owner.actor)
    transfer_ownership(**to, to_user_id=heir.user.id, actor=owner.actor)

    assert [team.role(one) for one in (owner, other, heir)] == ["admin", "owner", "owner"]
    assert team.log()[-2:] == ["member.ownership_transferred", "member.role_changed"]


def test_keys_of_who_goes_are_revoked_or_handed_over(db):
    team = Team.open()
    owner, leaver, removed = team.person("owner"), team.person("developer"), team.person("admin")
    key, other = team.key_of(leaver), team.key_of(removed)
    to: dict[str, Any] = {"organization_id": team.organization.id, "now": now()}
    stranger = team.person()

    with pytest.raises(MemberHasKeysError) as caught:
        remove_member(**to, user_id=leaver.user.id, actor=leaver.actor)
    assert caught.value.details == {"keys": 1}
    with pytest.raises(MemberNotFoundError):
        remove_member(**to, user_id=leaver.user.id, actor=owner.actor, keys_to=stranger.user.id)
    assert team.role(leaver) == "developer"

    remove_member(**to, user_id=leaver.user.id, actor=leaver.actor, keys_to=owner.user.id)
    remove_member(**to, user_id=removed.user.id, actor=owner.actor, revoke_keys=True)

    kept, ended = ApiKey.objects.get(id=key.id), ApiKey.objects.get(id=other.id)
    assert (kept.created_by, kept.revoked_at) == (owner.user, None)
    assert ended.revoked_at is not None
    assert (team.role(leaver), team.role(removed)) == (None, None)
    assert team.log()[-4:] == [
        "api_key.handed_over",
        "member.left",
        "api_key.revoked",
        "member.removed",
    ]


def test_developer_manages_own_keys_only(db):
    team = Team.open()
    developer, colleague = team.person("developer"), team.person("developer")
    own, foreign = team.key_of(developer), team.key_of(colleague)

    revoke_api_key(api_key_id=own.id, actor=developer.actor, now=now())
    with pytest.raises(PermissionDeniedError):
        revoke_api_key(api_key_id=foreign.id, actor=developer.actor, now=now())
    with pytest.raises(PermissionDeniedError):
        team.key_of(team.person("billing"))

    assert ApiKey.objects.get(id=own.id).revoked_at is not None
    assert ApiKey.objects.get(id=foreign.id).revoked_at is None
