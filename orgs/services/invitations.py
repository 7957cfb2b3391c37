"""Inviting people by mail. The link's token works once, and only its digest is kept."""

import hashlib
import secrets
from collections.abc import Callable, Collection
from datetime import datetime, timedelta
from typing import Final
from uuid import UUID

from django.core.exceptions import ValidationError
from django.core.validators import validate_email
from django.db import transaction

from orgs.errors import (
    AlreadyMemberError,
    InvalidInputError,
    InvitationExpiredError,
    InvitationForAnotherError,
    InvitationNotFoundError,
    InvitationRevokedError,
    InvitationUsedError,
    OrganizationClosedError,
    OrganizationNotFoundError,
    PermissionDeniedError,
)
from orgs.models import Invitation, Membership, Organization, User, lock_organization
from orgs.permissions import Role, may_grant
from orgs.services.audit import Action, Actor, Target, record, role_of
from orgs.services.mails import write_mail
from orgs.services.organizations import add_member

TTL: Final = timedelta(days=7)
RESEND_PAUSE: Final = timedelta(minutes=1)
MAX_OPEN: Final = 100
_TOKEN_BYTES: Final = 32
_ROLES: Final = {
    "en": {
        Role.OWNER: "owner",
        Role.ADMIN: "admin",
        Role.DEVELOPER: "developer",
        Role.BILLING: "billing",
        Role.VIEWER: "viewer",
    },
    "es": {
        Role.OWNER: "propietario",
        Role.ADMIN: "administrador",
        Role.DEVELOPER: "desarrollador",
        Role.BILLING: "facturación",
        Role.VIEWER: "lector",
    },
}

LinkTo = Callable[[str], str]
"""Returns the page that accepts the invitation of a token."""


def invite(
    *,
    organization_id: UUID,
    email: str,
    role: str,
    language: str,
    link_to: LinkTo,
    actor: Actor,
    now: datetime,
) -> Invitation:
    """Invite whoever reads the mail of an address; one that is too old is replaced.

    Raises:
        InvalidInputError: No address, no role, an open invitation already, or too many.
        PermissionDeniedError: The actor may not give this role.
        AlreadyMemberError: A member has this address.
        OrganizationClosedError: The organization is to be deleted.
    """
    address = _checked_address(email)
    if role not in Role.values:
        raise InvalidInputError(f"Unknown role {role!r}.", param="role")
    if language not in Organization.Language.values:
        raise InvalidInputError("The language is en or es.", param="language")
    with transaction.atomic():
        organization = _open_organization(organization_id, actor, role)
        members = Membership.objects.filter(organization_id=organization_id)
        if members.filter(user__email__iexact=address).exists():
            raise AlreadyMemberError(f"{address} is a member already.", param="email")
        _make_room(organization_id, address, now)
        token = _new_token()
        invitation = Invitation.objects.create(
            organization=organization,
            email=address,
            role=role,
            language=language,
            digest=_digest(token),
            invited_by_id=actor.user_id,
            sent_at=now,
            expires_at=now + TTL,
        )
        _log(Action.INVITATION_CREATED, invitation, actor, role=role)
        _write(invitation, link_to(token), actor, now)
    return invitation


def resend(
    *,
    organization_id: UUID,
    invitation_id: UUID,
    link_to: LinkTo,
    actor: Actor,
    now: datetime,
) -> Invitation:
    """Send an open invitation again, with a new link and seven new days; the old link is void.

    Raises:
        InvitationNotFoundError: The organization has no such invitation.
        InvitationUsedError, InvitationRevokedError: It has ended.
        InvalidInputError: It was sent less than a minute ago.
        PermissionDeniedError: The actor may not give its role.
    """
    with transaction.atomic():
        invitation = _locked(organization_id, invitation_id, actor)
        if now - invitation.sent_at < RESEND_PAUSE:
            raise InvalidInputError("It was sent a moment ago. Wait a minute.")
        token = _new_token()
        invitation.digest = _digest(token)
        invitation.sent_at = now
        invitation.expires_at = now + TTL
        invitation.save(update_fields=["digest", "sent_at", "expires_at"])
        _log(Action.INVITATION_RESENT, invitation, actor)
        _write(invitation, link_to(token), actor, now)
    return invitation


def revoke(*, organization_id: UUID, invitation_id: UUID, actor: Actor, now: datetime) -> None:
    """Take an open invitation back.

    Raises:
        InvitationNotFoundError: The organization has no such invitation.
        InvitationUsedError, InvitationRevokedError: It has ended.
        PermissionDeniedError: The actor may not give its role.
    """
    with transaction.atomic():
        invitation = _locked(organization_id, invitation_id, actor)
        invitation.revoked_at = now
        invitation.save(update_fields=["revoked_at"])
        _log(Action.INVITATION_REVOKED, invitation, actor)


def read_invitation(*, token: str, now: datetime) -> Invitation:
    """Return the open invitation of a token with its organization, to be shown before accepting.

    Raises:
        InvitationNotFoundError: No link has this token, or a newer mail replaced it.
        InvitationUsedError, InvitationRevokedError, InvitationExpiredError: It has ended.
    """
    found = Invitation.objects.select_related("organization", "invited_by")
    invitation = found.filter(digest=_digest(token)).first()
    if invitation is None:
        raise InvitationNotFoundError("This invitation is unknown, or a newer mail replaced it.")
    _require_open(invitation)
    if invitation.expires_at <= now:
        raise InvitationExpiredError("This invitation has expired. Ask for a new one.")
    return invitation


def accept(
    *, token: str, user: User, verified_emails: Collection[str], actor: Actor, now: datetime
) -> Membership:
    """Make a signed-in person a member; a member keeps the role they have.

    Args:
        token: Of the link.
        user: Who is signed in.
        verified_emails: The addresses they have shown to be theirs.
        actor: The same person, for the log.
        now: When.

    Raises:
        InvitationForAnotherError: None of the addresses is the invited one.
        OrganizationClosedError: The organization is to be deleted.
        InvitationNotFoundError, InvitationUsedError, InvitationRevokedError,
            InvitationExpiredError: As `read_invitation`.
    """
    organization_id = read_invitation(token=token, now=now).organization_id
    with transaction.atomic():
        organization = lock_organization(organization_id)
        # Again, under the lock: another request may have used it.
        invitation = read_invitation(token=token, now=now)
        if organization is None or organization.deletion_requested_at is not None:
            raise OrganizationClosedError("This organization is to be deleted.")
        if invitation.email.lower() not in {email.lower() for email in verified_emails}:
            raise InvitationForAnotherError(
                f"This invitation is for {invitation.email}. Sign in with that address, or verify"
                " it in your account."
            )
        invitation.accepted_at, invitation.accepted_by = now, user
        invitation.save(update_fields=["accepted_at", "accepted_by"])
        membership, _ = add_member(
            organization=organization, user=user, role=invitation.role, actor=actor
        )
        _log(Action.INVITATION_ACCEPTED, invitation, actor, role=membership.role)
    return membership


def _open_organization(organization_id: UUID, actor: Actor, role: str) -> Organization:
    organization = lock_organization(organization_id)
    if organization is None:
        raise OrganizationNotFoundError(f"There is no organization {organization_id}.")
    if organization.deletion_requested_at is not None:
        raise OrganizationClosedError("This organization is to be deleted.")
    if not may_grant(role_of(organization_id=organization_id, actor=actor), role):
        raise PermissionDeniedError("Your role does not allow you to give this role.")
    return organization


def _make_room(organization_id: UUID, address: str, now: datetime) -> None:
    """Drop an expired invitation of the address; refuse a second open one, and too many."""
    rows = Invitation.objects.filter(
        organization_id=organization_id, accepted_at__isnull=True, revoked_at__isnull=True
    )
    rows.filter(email__iexact=address, expires_at__lte=now).update(revoked_at=now)
    if rows.filter(email__iexact=address).exists():
        raise InvalidInputError(f"{address} is invited already. Send it again.", param="email")
    if rows.filter(expires_at__gt=now).count() >= MAX_OPEN:
        raise InvalidInputError(f"At most {MAX_OPEN} invitations may be open.")


def _locked(organization_id: UUID, invitation_id: UUID, actor: Actor) -> Invitation:
    lock_organization(organization_id)
    found = Invitation.objects.select_related("organization").filter(
        organization_id=organization_id, id=invitation_id
    )
    invitation = found.first()
    if invitation is None:
        raise InvitationNotFoundError("There is no such invitation.")
    _open_organization(organization_id, actor, invitation.role)
    _require_open(invitation)
    return invitation


def _require_open(invitation: Invitation) -> None:
    if invitation.accepted_at is not None:
        raise InvitationUsedError("This invitation was accepted already. It works once.")
    if invitation.revoked_at is not None:
        raise InvitationRevokedError("This invitation was taken back.")


def _checked_address(email: str) -> str:
    address = User.objects.normalize_email(email.strip())
    try:
        validate_email(address)
    except ValidationError as error:
        raise InvalidInputError("Give an e-mail address.", param="email") from error
    return address


def _new_token() -> str:
    return secrets.token_urlsafe(_TOKEN_BYTES)


def _digest(token: str) -> bytes:
    return hashlib.sha256(token.encode()).digest()


def _write(invitation: Invitation, link: str, actor: Actor, now: datetime) -> None:
    write_mail(
        kind="invitation",
        recipient=invitation.email,
        language=invitation.language,
        context={
            "inviter": actor.label if actor.user_id else "Lienzo",
            "organization": invitation.organization.name,
            "role": _ROLES[invitation.language][Role(invitation.role)],
            "link": link,
            "expires_on": invitation.expires_at.date().isoformat(),
            "email": invitation.email,
        },
        now=now,
        organization_id=invitation.organization_id,
    )


def _log(action: Action, invitation: Invitation, actor: Actor, **after: object) -> None:
    record(
        action=action,
        actor=actor,
        organization_id=invitation.organization_id,
        target=Target("invitation", invitation.id, invitation.email),
        after=after,
    )
