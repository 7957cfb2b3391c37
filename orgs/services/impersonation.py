"""Operators acting, or looking on, in a member's place, for an hour at most."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final
from uuid import UUID

from allauth.usersessions.models import UserSession

from orgs.errors import InvalidInputError, PermissionDeniedError
from orgs.models import Membership, User
from orgs.services.audit import (
    Action,
    Actor,
    Origin,
    Target,
    impersonating_actor,
    record,
    user_actor,
)

LIFETIME: Final = timedelta(minutes=60)
REASON_LENGTH: Final = 500


class Ending(StrEnum):
    """Why an impersonation ended, as the log has it."""

    STOPPED = "stopped"
    TIME = "time"
    SIGNED_OUT = "signed_out"
    ACCESS = "access"


@dataclass(frozen=True, slots=True)
class Impersonation:
    """An operator in a member's place.

    Attributes:
        membership: The member's, with their organization and themselves.
        is_read_only: The operator looks on and changes nothing.
        ends_at: When it ends by itself.
    """

    membership: Membership
    operator: User
    reason: str
    is_read_only: bool
    ends_at: datetime

    @property
    def user(self) -> User:
        """Return the member."""
        return self.membership.user

    @property
    def organization_id(self) -> UUID:
        """Return the only organization it reaches."""
        return self.membership.organization_id

    def actor(self, origin: Origin) -> Actor:
        """Return for whom services act meanwhile; the log names both."""
        return impersonating_actor(
            self.user, operator=self.operator, origin=origin, is_read_only=self.is_read_only
        )


def start_impersonation(
    *,
    organization_id: UUID,
    user_id: UUID,
    operator: User,
    reason: str,
    is_read_only: bool,
    origin: Origin,
    now: datetime,
) -> Impersonation:
    """Let an operator act, or look on, as a member; the organization sees it in its log.

    The caller keeps what is returned in the operator's own session.

    Raises:
        PermissionDeniedError: Not an operator, oneself, no member, or somebody of the platform's
            staff.
        InvalidInputError: No reason is given.
    """
    why = reason.strip()[:REASON_LENGTH]
    if not why:
        raise InvalidInputError("Give a reason.", param="reason")
    if not _is_operator(operator):
        raise PermissionDeniedError("Only the platform's operators may do this.")
    membership = _membership(organization_id, user_id)
    if membership is None or user_id == operator.pk:
        raise PermissionDeniedError("An operator acts for members who are not staff.")
    ends_at = now + LIFETIME
    record(
        action=Action.IMPERSONATION_STARTED,
        actor=user_actor(operator, origin=origin, as_operator=True),
        organization_id=organization_id,
        target=Target("user", user_id, membership.user.email),
        after={"reason": why, "is_read_only": is_read_only, "ends_at": ends_at},
    )
    return Impersonation(membership, operator, why, is_read_only, ends_at)


def find_impersonation(
    *,
    organization_id: UUID,
    user_id: UUID,
    operator: User,
    reason: str,
    is_read_only: bool,
    ends_at: datetime,
) -> Impersonation | None:
    """Return one that was started; None once the operator or the member is no longer one.

    One query, with the organization.
    """
    if not _is_operator(operator) or user_id == operator.pk:
        return None
    membership = _membership(organization_id, user_id)
    if membership is None:
        return None
    return Impersonation(membership, operator, reason, is_read_only, ends_at)


def stop_impersonation(
    *,
    organization_id: UUID,
    user_id: UUID,
    operator: User,
    ending: Ending,
    origin: Origin,
) -> None:
    """Log that an operator stopped acting as a member."""
    email = User.objects.filter(id=user_id).values_list("email", flat=True).first()
    record(
        action=Action.IMPERSONATION_STOPPED,
        actor=user_actor(operator, origin=origin, as_operator=True),
        organization_id=organization_id,
        target=Target("user", user_id, email or ""),
        after={"ending": ending.value},
    )


def move_session(*, from_key: str, to_key: str) -> None:
    """Keep a session whose key was replaced in its owner's list of sessions."""
    UserSession.objects.filter(session_key=from_key).update(session_key=to_key)


def _is_operator(operator: User) -> bool:
    return operator.is_active and operator.staff_role == User.StaffRole.OPERATOR


def _membership(organization_id: UUID, user_id: UUID) -> Membership | None:
    """Return the membership of somebody in whose place an operator may act."""
    return (
        Membership.objects.select_related("organization", "user")
        .filter(
            organization_id=organization_id,
            user_id=user_id,
            user__is_active=True,
            user__staff_role=User.StaffRole.NONE,
        )
        .first()
    )
