"""Members: their roles, their leaving, and who owns the organization.

Each service locks the organization first, so that roles are changed one after the other; that an
owner remains is guarded by the database, too (`orgs_membership_owner_kept`).
"""

from datetime import datetime
from uuid import UUID

from django.db import transaction

from orgs.errors import (
    InvalidInputError,
    LastOwnerError,
    MemberHasKeysError,
    MemberNotFoundError,
    OrganizationNotFoundError,
    PermissionDeniedError,
)
from orgs.models import ApiKey, Membership, Organization, lock_organization
from orgs.permissions import Permission, Role, may_grant
from orgs.services.audit import Action, Actor, Target, record, require_permission, role_of
from orgs.services.key_administration import end_keys_of


def change_role(*, organization_id: UUID, user_id: UUID, role: str, actor: Actor) -> Membership:
    """Give a member another role.

    Raises:
        InvalidInputError: No such role.
        MemberNotFoundError: The person is no member.
        PermissionDeniedError: The actor may not give this role, or not take away the present one.
        LastOwnerError: Nobody would own the organization.
    """
    if role not in Role.values:
        raise InvalidInputError(f"Unknown role {role!r}.", param="role")
    with transaction.atomic():
        _locked(organization_id)
        membership = _membership(organization_id, user_id)
        before = membership.role
        _require_may_grant(organization_id, actor, before, role)
        if role != before:
            if before == Role.OWNER:
                _require_other_owner(organization_id, user_id)
            _set_role(membership, role)
            _log(Action.MEMBER_ROLE_CHANGED, membership, actor, before=before, after=role)
    return membership


def transfer_ownership(*, organization_id: UUID, to_user_id: UUID, actor: Actor) -> None:
    """Make another member an owner; the owner who asks becomes an admin. Nobody else is touched.

    Asked for by the platform, it adds an owner and demotes none.

    Raises:
        MemberNotFoundError: The heir is no member.
        PermissionDeniedError: The actor owns nothing here.
        InvalidInputError: The heir is the actor.
    """
    with transaction.atomic():
        _locked(organization_id)
        require_permission(
            organization_id=organization_id,
            actor=actor,
            permission=Permission.TRANSFER_OWNERSHIP,
        )
        if to_user_id == actor.user_id:
            raise InvalidInputError("You are the owner. Choose another member.", param="member")
        heir = _membership(organization_id, to_user_id)
        before = heir.role
        _set_role(heir, Role.OWNER)
        _log(Action.OWNERSHIP_TRANSFERRED, heir, actor, before=before, after=Role.OWNER)
        if actor.user_id is not None and not actor.is_platform:
            own = _membership(organization_id, actor.user_id)
            _set_role(own, Role.ADMIN)
            _log(Action.MEMBER_ROLE_CHANGED, own, actor, before=Role.OWNER, after=Role.ADMIN)


def remove_member(
    *,
    organization_id: UUID,
    user_id: UUID,
    actor: Actor,
    now: datetime,
    keys_to: UUID | None = None,
    revoke_keys: bool = False,
) -> None:
    """Take a person out of the organization; what they made stays.

    Args:
        organization_id: Of which organization.
        user_id: Who goes; the actor's own id is leaving, which every role may.
        actor: For whom.
        now: When.
        keys_to: The member who gets the API keys of the one who goes.
        revoke_keys: Revoke those keys instead.

    Raises:
        MemberNotFoundError: The person, or the heir, is no member.
        PermissionDeniedError: The actor may not end this role.
        LastOwnerError: Nobody would own the organization.
        MemberHasKeysError: There are keys, and neither is said of them.
    """
    if keys_to is not None and revoke_keys:
        raise InvalidInputError("Hand the keys over or revoke them, not both.", param="keys")
    with transaction.atomic():
        _locked(organization_id)
        membership = _membership(organization_id, user_id)
        is_leaving = user_id == actor.user_id
        if not is_leaving:
            _require_may_grant(organization_id, actor, membership.role)
        if membership.role == Role.OWNER:
            _require_other_owner(organization_id, user_id)
        if not revoke_keys and keys_to is None:
            _require_no_keys(organization_id, user_id)
        count = end_keys_of(
            organization_id=organization_id,
            user_id=user_id,
            heir_id=keys_to,
            actor=actor,
            now=now,
        )
        action = Action.MEMBER_LEFT if is_leaving else Action.MEMBER_REMOVED
        _log(action, membership, actor, before=membership.role, keys=count)
        membership.delete()


def _locked(organization_id: UUID) -> Organization:
    organization = lock_organization(organization_id)
    if organization is None:
        raise OrganizationNotFoundError(f"There is no organization {organization_id}.")
    return organization


def _membership(organization_id: UUID, user_id: UUID) -> Membership:
    found = Membership.objects.select_related("user").filter(
        organization_id=organization_id, user_id=user_id
    )
    membership = found.first()
    if membership is None:
        raise MemberNotFoundError("That person is not a member of this organization.")
    return membership


def _require_may_grant(organization_id: UUID, actor: Actor, *roles: str) -> None:
    granter = role_of(organization_id=organization_id, actor=actor)
    if not all(may_grant(granter, role) for role in roles):
        raise PermissionDeniedError("Your role does not allow you to give or take this role.")


def _require_other_owner(organization_id: UUID, user_id: UUID) -> None:
    others = Membership.objects.filter(organization_id=organization_id, role=Role.OWNER)
    if not others.exclude(user_id=user_id).exists():
        raise LastOwnerError(
            "An organization has at least one owner. Make another member an owner first."
        )


def _require_no_keys(organization_id: UUID, user_id: UUID) -> None:
    count = ApiKey.objects.filter(
        organization_id=organization_id, created_by_id=user_id, revoked_at__isnull=True
    ).count()
    if count:
        raise MemberHasKeysError(
            f"This person made {count} API keys that work. Revoke them, or hand them to another"
            " member.",
            details={"keys": count},
        )


def _set_role(membership: Membership, role: str) -> None:
    membership.role = role
    membership.save(update_fields=["role"])


def _log(
    action: Action,
    membership: Membership,
    actor: Actor,
    *,
    before: str,
    after: str | None = None,
    keys: int = 0,
) -> None:
    fields: dict[str, object] = {"role": after} if after is not None else {}
    if keys:
        fields["keys"] = keys
    record(
        action=action,
        actor=actor,
        organization_id=membership.organization_id,
        target=Target("member", membership.user_id, membership.user.email),
        before={"role": before},
        after=fields,
    )
