"""Suspending, resuming and deleting organizations."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Final
from uuid import UUID

from django.db import transaction

from orgs.errors import (
    InvalidInputError,
    OrganizationClosedError,
    OrganizationNotFoundError,
)
from orgs.models import (
    Invitation,
    Membership,
    Organization,
    WebhookEndpoint,
    lock_organization,
)
from orgs.permissions import Permission
from orgs.services.audit import (
    SYSTEM,
    Action,
    Actor,
    Target,
    record,
    require_permission,
    require_platform,
)
from orgs.services.key_administration import revoke_all

DELETION_RETENTION: Final = timedelta(days=30)
_REASON_LENGTH: Final = 500


def suspend(*, organization_id: UUID, reason: str, actor: Actor, now: datetime) -> Organization:
    """Stop an organization's generations, within a second; a second call changes the reason.

    Raises:
        PermissionDeniedError: The actor is not of the platform.
        InvalidInputError: No reason is given.
    """
    require_platform(actor)
    why = _reason(reason)
    with transaction.atomic():
        organization = _locked(organization_id)
        before = {"reason": organization.suspension_reason}
        organization.suspended_at = organization.suspended_at or now
        organization.suspension_reason = why
        organization.save(update_fields=["suspended_at", "suspension_reason"])
        _log(Action.ORGANIZATION_SUSPENDED, organization, actor, before, {"reason": why})
    return organization


def resume(*, organization_id: UUID, reason: str, actor: Actor) -> Organization:
    """End a suspension; without one nothing changes.

    Raises:
        PermissionDeniedError: The actor is not of the platform.
        InvalidInputError: No reason is given.
    """
    require_platform(actor)
    why = _reason(reason)
    with transaction.atomic():
        organization = _locked(organization_id)
        if organization.suspended_at is not None:
            before = {"reason": organization.suspension_reason}
            organization.suspended_at, organization.suspension_reason = None, ""
            organization.save(update_fields=["suspended_at", "suspension_reason"])
            _log(Action.ORGANIZATION_RESUMED, organization, actor, before, {"reason": why})
    return organization


def request_deletion(
    *, organization_id: UUID, name: str, actor: Actor, now: datetime
) -> Organization:
    """Ask for an organization's deletion: keys, invitations and webhooks end at once, data later.

    What runs is finished. Until `deletion_due_at` an owner may cancel; the keys stay revoked.

    Args:
        organization_id: Which.
        name: Its name, typed by who asks, so that it is not another's.
        actor: An owner, or the platform.
        now: When; the data are purged `DELETION_RETENTION` later.

    Raises:
        PermissionDeniedError: The actor is no owner.
        InvalidInputError: The name is another.
        OrganizationClosedError: It was asked for before.
    """
    with transaction.atomic():
        organization = _locked(organization_id)
        _require_owner(organization_id, actor)
        if name.strip() != organization.name:
            raise InvalidInputError("This is not the organization's name.", param="name")
        if organization.deletion_requested_at is not None:
            raise OrganizationClosedError("This organization is to be deleted already.")
        organization.deletion_requested_at = now
        organization.deletion_due_at = now + DELETION_RETENTION
        organization.save(update_fields=["deletion_requested_at", "deletion_due_at"])
        _log(
            Action.ORGANIZATION_DELETION_REQUESTED,
            organization,
            actor,
            {},
            {"due_at": organization.deletion_due_at},
        )
        revoke_all(organization_id=organization_id, actor=actor, now=now)
        Invitation.objects.filter(
            organization_id=organization_id, accepted_at=None, revoked_at=None
        ).update(revoked_at=now)
    return organization


def cancel_deletion(*, organization_id: UUID, actor: Actor) -> Organization:
    """Keep an organization after all. Its keys stay revoked.

    Raises:
        PermissionDeniedError: The actor is no owner.
        OrganizationClosedError: Its data are purged.
    """
    with transaction.atomic():
        organization = _locked(organization_id)
        _require_owner(organization_id, actor)
        if organization.purged_at is not None:
            raise OrganizationClosedError("The data of this organization are deleted.")
        if organization.deletion_requested_at is not None:
            before = {"due_at": organization.deletion_due_at}
            organization.deletion_requested_at = organization.deletion_due_at = None
            organization.save(update_fields=["deletion_requested_at", "deletion_due_at"])
            _log(Action.ORGANIZATION_DELETION_CANCELED, organization, actor, before, {})
    return organization


def close_purged(*, organization_id: UUID, now: datetime) -> bool:
    """End memberships, invitations and webhooks of an organization whose data are purged.

    For the daily task, after it has deleted what the gateway keeps. The row, its billing profile,
    its API keys by name, the ledger and the audit log stay. Returns whether it was due.
    """
    with transaction.atomic():
        organization = _locked(organization_id)
        is_due = organization.deletion_due_at is not None and organization.deletion_due_at <= now
        if not is_due or organization.purged_at is not None:
            return False
        organization.purged_at = now
        organization.save(update_fields=["purged_at"])
        Membership.objects.filter(organization_id=organization_id).delete()
        Invitation.objects.filter(organization_id=organization_id).delete()
        WebhookEndpoint.objects.filter(organization_id=organization_id).update(
            deleted_at=now, secret=b"", previous_secret=None, previous_secret_until=None
        )
        _log(Action.ORGANIZATION_PURGED, organization, SYSTEM, {}, {})
    return True


def _locked(organization_id: UUID) -> Organization:
    organization = lock_organization(organization_id)
    if organization is None:
        raise OrganizationNotFoundError(f"There is no organization {organization_id}.")
    return organization


def _require_owner(organization_id: UUID, actor: Actor) -> None:
    require_permission(
        organization_id=organization_id,
        actor=actor,
        permission=Permission.DELETE_ORGANIZATION,
    )


def _reason(reason: str) -> str:
    why = reason.strip()[:_REASON_LENGTH]
    if not why:
        raise InvalidInputError("Give a reason.", param="reason")
    return why


def _log(
    action: Action,
    organization: Organization,
    actor: Actor,
    before: Mapping[str, object],
    after: Mapping[str, object],
) -> None:
    record(
        action=action,
        actor=actor,
        organization_id=organization.id,
        target=Target("organization", organization.id, organization.name),
        before=before,
        after=after,
    )
