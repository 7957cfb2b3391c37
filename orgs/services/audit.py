"""Writing the audit log, in the transaction of what is administered."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from enum import StrEnum
from typing import Final
from uuid import UUID

from django.db import models

from orgs.errors import ImpersonationReadOnlyError, PermissionDeniedError
from orgs.models import ApiKey, AuditEvent, Membership, User
from orgs.permissions import Permission, Role, allows

_LABEL_LENGTH: Final = 254
_USER_AGENT_LENGTH: Final = 300
_TEXT_LENGTH: Final = 2000
# Fields that never enter the log, whoever passes them.
_SECRET: Final = frozenset({"secret", "digest", "lookup", "password", "token", "body"})

Kind = AuditEvent.ActorKind


class Action(StrEnum):
    """What is logged. The word before the dot is the object's type."""

    ORGANIZATION_CREATED = "organization.created"
    ORGANIZATION_SETTINGS_CHANGED = "organization.settings_changed"
    ORGANIZATION_CURRENCY_CHANGED = "organization.currency_changed"
    ORGANIZATION_MARKUP_CHANGED = "organization.markup_changed"
    ORGANIZATION_SUSPENDED = "organization.suspended"
    ORGANIZATION_RESUMED = "organization.resumed"
    ORGANIZATION_DELETION_REQUESTED = "organization.deletion_requested"
    ORGANIZATION_DELETION_CANCELED = "organization.deletion_canceled"
    ORGANIZATION_PURGED = "organization.purged"
    MEMBER_ADDED = "member.added"
    MEMBER_ROLE_CHANGED = "member.role_changed"
    MEMBER_REMOVED = "member.removed"
    MEMBER_LEFT = "member.left"
    OWNERSHIP_TRANSFERRED = "member.ownership_transferred"
    INVITATION_CREATED = "invitation.created"
    INVITATION_RESENT = "invitation.resent"
    INVITATION_REVOKED = "invitation.revoked"
    INVITATION_ACCEPTED = "invitation.accepted"
    API_KEY_CREATED = "api_key.created"
    API_KEY_CHANGED = "api_key.changed"
    API_KEY_ROTATED = "api_key.rotated"
    API_KEY_REVOKED = "api_key.revoked"
    API_KEY_HANDED_OVER = "api_key.handed_over"
    WEBHOOK_CREATED = "webhook.created"
    WEBHOOK_CHANGED = "webhook.changed"
    WEBHOOK_DELETED = "webhook.deleted"
    WEBHOOK_SECRET_ROTATED = "webhook.secret_rotated"  # noqa: S105 - of none
    BUDGET_CHANGED = "budget.changed"
    BALANCE_ALERT_CHANGED = "balance_alert.changed"
    PAYMENT_STARTED = "payment.started"
    PAYMENT_REQUESTED = "payment.requested"
    PAYMENT_APPROVED = "payment.approved"
    PAYMENT_REJECTED = "payment.rejected"
    PAYMENT_RESOLVED = "payment.resolved"
    TAX_RATE_SET = "tax_rate.set"
    TAX_TREATMENT_CHANGED = "tax_profile.treatment_changed"
    GRANT_REQUESTED = "grant.requested"
    GRANT_APPROVED = "grant.approved"
    GRANT_REJECTED = "grant.rejected"
    CARD_REMOVED = "card.removed"
    AUTO_TOP_UP_CHANGED = "auto_top_up.changed"
    REFUND_REQUESTED = "refund.requested"
    REFUND_APPROVED = "refund.approved"
    REFUND_DECLINED = "refund.declined"
    ADJUSTMENT_REQUESTED = "adjustment.requested"
    ADJUSTMENT_APPROVED = "adjustment.approved"
    ADJUSTMENT_DECLINED = "adjustment.declined"
    IMAGES_DELETED = "image.deleted"
    IMAGES_EXPIRED = "image.expired"
    PROMPTS_EXPIRED = "prompt.expired"
    EXPORT_ORDERED = "export.ordered"
    FX_RATE_SET = "fx_rate.set"
    FX_RATE_ENDED = "fx_rate.ended"
    FX_RATE_PROPOSED = "fx_rate.proposed"
    FX_RATE_APPROVED = "fx_rate.approved"
    FX_RATE_REJECTED = "fx_rate.rejected"
    PROVIDER_FILE_IMPORTED = "provider_file.imported"
    PROVIDER_FILE_WITHDRAWN = "provider_file.withdrawn"
    DIFFERENCE_PROPOSED = "difference.proposed"
    DIFFERENCE_ACCEPTED = "difference.accepted"
    DIFFERENCE_CONTESTED = "difference.contested"
    DIFFERENCE_REOPENED = "difference.reopened"
    PAYOUT_BOOKED = "payout.booked"
    PROVIDER_PAID = "provider.paid"
    PROVIDER_WAIVED = "provider.waived"
    PERIOD_REVALUED = "period.revalued"
    PERIOD_CLOSED = "period.closed"
    USER_CREATED = "user.created"
    PRICE_SET = "price.set"
    COST_SET = "cost.set"
    PRICES_IMPORTED = "price.imported"
    MARKUP_CHANGED = "markup.changed"
    PROVIDER_PAUSED = "provider.paused"
    PROVIDER_RESUMED = "provider.resumed"
    PROVIDER_PROBED = "provider.probed"
    FINDING_ACKNOWLEDGED = "finding.acknowledged"
    CHECK_STARTED = "check.started"
    DATABASE_RESTORED = "database.restored"
    IMPERSONATION_STARTED = "impersonation.started"
    IMPERSONATION_STOPPED = "impersonation.stopped"


@dataclass(frozen=True, slots=True)
class Origin:
    """Where an action came from: its HTTP request, if it had one."""

    ip: str | None = None
    user_agent: str = ""
    request_id: str = ""


@dataclass(frozen=True, slots=True)
class Actor:
    """For whom a service acts.

    Attributes:
        label: What the log calls them; of an API key its name is read when it is logged.
        is_operator: A person who runs the platform and acts as one.
        impersonator_id: Of the operator who acts in this person's place.
        is_read_only: The operator looks and changes nothing: whatever is logged is refused.
    """

    kind: str
    id: UUID | None
    label: str
    origin: Origin = Origin()
    is_operator: bool = False
    impersonator_id: UUID | None = None
    impersonator_label: str = ""
    is_read_only: bool = False

    @property
    def user_id(self) -> UUID | None:
        """Return the person's id; an API key and the platform have none."""
        return self.id if self.kind == Kind.USER else None

    @property
    def is_platform(self) -> bool:
        """Whether it acts with the platform's authority, over every organization."""
        return self.kind == Kind.SYSTEM or (self.is_operator and self.impersonator_id is None)


SYSTEM: Final = Actor(kind=Kind.SYSTEM, id=None, label="system")
"""The platform itself: management commands and periodic work."""


@dataclass(frozen=True, slots=True)
class Target:
    """What an action was done to, as it was called then; what has no UUID has a name for an id."""

    kind: str
    id: UUID | str
    label: str = ""


def user_actor(user: User, *, origin: Origin, as_operator: bool = False) -> Actor:
    """Return a person as actor.

    Args:
        user: Who is signed in.
        origin: The request's.
        as_operator: The page is one of the platform's: an operator acts with its authority there,
            and as the member they are elsewhere.
    """
    is_operator = as_operator and user.staff_role == User.StaffRole.OPERATOR
    return Actor(Kind.USER, user.id, user.email, origin, is_operator=is_operator)


def impersonating_actor(user: User, *, operator: User, origin: Origin, is_read_only: bool) -> Actor:
    """Return a person in whose place an operator acts. Both are logged."""
    return Actor(
        kind=Kind.USER,
        id=user.id,
        label=user.email,
        origin=origin,
        impersonator_id=operator.id,
        impersonator_label=operator.email,
        is_read_only=is_read_only,
    )


def api_key_actor(api_key_id: UUID, *, origin: Origin) -> Actor:
    """Return an API key that administers through the API."""
    return Actor(Kind.API_KEY, api_key_id, "", origin)


def record(
    *,
    action: Action,
    actor: Actor,
    organization_id: UUID | None,
    target: Target,
    before: Mapping[str, object] | None = None,
    after: Mapping[str, object] | None = None,
) -> AuditEvent:
    """Write one line of the log. Joins the caller's transaction, which it belongs to.

    Args:
        action: What was done.
        actor: For whom.
        organization_id: Whose log; None for the platform's own.
        target: To what.
        before: Fields as they were; None of what is new.
        after: Fields as they are; only those that differ are kept.

    Raises:
        ImpersonationReadOnlyError: An operator looks on only; the caller's transaction is undone.
    """
    if actor.is_read_only:
        raise ImpersonationReadOnlyError("You are looking on as this person and cannot change it.")
    return AuditEvent.objects.create(
        organization_id=organization_id,
        actor_kind=actor.kind,
        actor_id=actor.id,
        actor_label=_label(actor),
        impersonator_id=actor.impersonator_id,
        impersonator_label=actor.impersonator_label[:_LABEL_LENGTH],
        action=action,
        object_type=target.kind,
        object_id=str(target.id),
        object_label=target.label[:_LABEL_LENGTH],
        changes=_changes(before or {}, after or {}),
        ip=actor.origin.ip,
        user_agent=actor.origin.user_agent[:_USER_AGENT_LENGTH].replace("\x00", ""),
        request_id=actor.origin.request_id,
    )


def role_of(*, organization_id: UUID, actor: Actor) -> str:
    """Return the actor's role; the platform has an owner's, an API key and a stranger none."""
    if actor.is_platform:
        return Role.OWNER
    if actor.user_id is None:
        return ""
    roles = Membership.objects.filter(organization_id=organization_id, user_id=actor.user_id)
    return roles.values_list("role", flat=True).first() or ""


def require_permission(*, organization_id: UUID, actor: Actor, permission: Permission) -> None:
    """Refuse an actor whose role, as of now, lacks a permission.

    Raises:
        PermissionDeniedError: It does.
    """
    if not allows(role_of(organization_id=organization_id, actor=actor), permission):
        raise PermissionDeniedError("Your role in this organization does not allow this.")


def require_platform(actor: Actor) -> None:
    """Refuse everyone but the platform's operators and commands.

    Raises:
        PermissionDeniedError: The actor is neither.
    """
    if not actor.is_platform:
        raise PermissionDeniedError("Only the platform's operators may do this.")


def snapshot(row: models.Model, fields: Sequence[str]) -> dict[str, object]:
    """Return fields of a row as they are, to be compared after a change."""
    return {
        name: list(value) if isinstance(value := getattr(row, name), list) else value
        for name in fields
    }


def _label(actor: Actor) -> str:
    if actor.kind == Kind.API_KEY and actor.id is not None and not actor.label:
        name = ApiKey.objects.filter(id=actor.id).values_list("name", flat=True).first()
        return (name or str(actor.id))[:_LABEL_LENGTH]
    return actor.label[:_LABEL_LENGTH]


def _changes(before: Mapping[str, object], after: Mapping[str, object]) -> dict[str, object]:
    names = [*after, *(name for name in before if name not in after)]
    secret = _SECRET.intersection(names)
    if secret:
        raise ValueError(f"secrets do not belong in the audit log: {sorted(secret)}")
    return {
        name: {"before": _plain(before.get(name)), "after": _plain(after.get(name))}
        for name in names
        if before.get(name) != after.get(name)
    }


def _plain(value: object) -> object:
    if isinstance(value, str):
        return value[:_TEXT_LENGTH]
    if isinstance(value, datetime | date):
        return value.isoformat()
    if isinstance(value, UUID):
        return str(value)
    return value
