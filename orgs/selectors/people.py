"""Reading members, invitations, and, for operators, all organizations."""

from dataclasses import dataclass
from datetime import datetime
from typing import Final
from uuid import UUID

from allauth.account.models import EmailAddress
from allauth.usersessions.models import UserSession
from django.contrib.sessions.models import Session
from django.db.models import Count, OuterRef, Q, QuerySet, Subquery
from django.db.models.functions import Coalesce

from orgs.errors import InvalidInputError
from orgs.models import ApiKey, Invitation, Membership, Organization, User
from orgs.secrets import LIVE_PREFIX, LOOKUP_LENGTH, TEST_PREFIX

# What lists of keys show of one.
_LEAST_OF_KEY: Final = 4


@dataclass(frozen=True, slots=True)
class MemberView:
    """A member as the console shows them; `keys` counts the API keys of theirs that work."""

    user_id: UUID
    email: str
    name: str
    role: str
    joined_at: datetime
    last_login_at: datetime | None
    keys: int


@dataclass(frozen=True, slots=True)
class OrganizationView:
    """An organization as operators see it."""

    id: UUID
    name: str
    currency: str
    time_zone: str
    is_demo: bool
    created_at: datetime
    members: int
    owner: str
    suspended_at: datetime | None
    suspension_reason: str
    deletion_due_at: datetime | None
    purged_at: datetime | None


def list_members(*, organization_id: UUID, without_staff: bool = False) -> list[MemberView]:
    """Return an organization's members in the order in which they joined. One query.

    Args:
        organization_id: Whose.
        without_staff: Only those in whose place an operator may act.
    """
    keys = (
        ApiKey.objects.filter(
            organization_id=organization_id,
            created_by_id=OuterRef("user_id"),
            revoked_at__isnull=True,
        )
        .order_by()
        .values("created_by_id")
        .annotate(count=Count("id"))
        .values("count")
    )
    rows = (
        Membership.objects.filter(organization_id=organization_id)
        .select_related("user")
        .annotate(keys=Coalesce(Subquery(keys), 0))
        .order_by("created_at", "id")
    )
    if without_staff:
        rows = rows.filter(user__is_active=True, user__staff_role="")
    return [
        MemberView(
            user_id=row.user_id,
            email=row.user.email,
            name=row.user.name,
            role=row.role,
            joined_at=row.created_at,
            last_login_at=row.user.last_login,
            keys=row.keys,
        )
        for row in rows
    ]


def list_verified_addresses(*, user_id: UUID) -> list[str]:
    """Return the addresses a person has shown to be theirs, in lower case."""
    rows = EmailAddress.objects.filter(user_id=user_id, verified=True)
    return [email.lower() for email in rows.values_list("email", flat=True)]


def find_user_id(*, email: str) -> UUID | None:
    """Return whose address it is; case does not matter."""
    return User.objects.filter(email__iexact=email).values_list("id", flat=True).first()


def list_sessions(*, user_id: UUID, now: datetime) -> list[UserSession]:
    """Return where a person is signed in, newest first."""
    live = Session.objects.filter(expire_date__gt=now)
    rows = UserSession.objects.filter(user_id=user_id, session_key__in=live.values("session_key"))
    return list(rows.order_by("-created_at", "-id"))


def list_open_invitations(*, organization_id: UUID) -> list[Invitation]:
    """Return invitations neither accepted nor revoked, expired ones too, newest first."""
    rows = Invitation.objects.select_related("invited_by").filter(
        organization_id=organization_id, accepted_at__isnull=True, revoked_at__isnull=True
    )
    return list(rows.order_by("-sent_at", "-id"))


def search_organizations(
    *, text: str = "", state: str = "", limit: int, after: UUID | None = None
) -> tuple[list[OrganizationView], bool]:
    """Return organizations, newest first, and whether more follow. For the platform's operators.

    Args:
        text: Part of the name or of a member's address, a whole id, or the start of an API key,
            `lz_sk_` with at least four characters of its own.
        state: `active`, `suspended`, `closing`, `demo` or nothing for all.
        limit: How many at most.
        after: Go on after this organization.

    Raises:
        InvalidInputError: No such state, or no organization `after`.
    """
    rows = _in_state(_matching(text.strip()), state)
    if after is not None:
        last = Organization.objects.filter(id=after).values_list("created_at", "id").first()
        if last is None:
            raise InvalidInputError("`after` is not an organization.", param="after")
        rows = rows.filter(Q(created_at__lt=last[0]) | Q(created_at=last[0], id__lt=last[1]))
    memberships = Membership.objects.filter(organization_id=OuterRef("id"))
    counts = memberships.order_by().values("organization_id").annotate(count=Count("id"))
    owners = memberships.filter(role=Membership.Role.OWNER).order_by("created_at")
    found = list(
        rows.annotate(
            members=Coalesce(Subquery(counts.values("count")), 0),
            owner=Subquery(owners.values("user__email")[:1]),
        ).order_by("-created_at", "-id")[: limit + 1]
    )
    views = [
        OrganizationView(
            id=row.id,
            name=row.name,
            currency=row.currency,
            time_zone=row.time_zone,
            is_demo=row.is_demo,
            created_at=row.created_at,
            members=row.members,
            owner=row.owner or "",
            suspended_at=row.suspended_at,
            suspension_reason=row.suspension_reason,
            deletion_due_at=row.deletion_due_at,
            purged_at=row.purged_at,
        )
        for row in found[:limit]
    ]
    return views, len(found) > limit


def list_due_for_purge(*, now: datetime) -> list[UUID]:
    """Return the organizations whose data are to be purged, the longest overdue first."""
    due = Organization.objects.filter(deletion_due_at__lte=now, purged_at__isnull=True)
    return list(due.order_by("deletion_due_at").values_list("id", flat=True))


def _matching(text: str) -> QuerySet[Organization]:
    if not text:
        return Organization.objects.all()
    if text.startswith((LIVE_PREFIX, TEST_PREFIX)):
        return Organization.objects.filter(id__in=_keys_beginning(text).values("organization_id"))
    try:
        return Organization.objects.filter(id=UUID(text))
    except ValueError:
        people = Membership.objects.filter(user__email__icontains=text)
        return Organization.objects.filter(
            Q(name__icontains=text) | Q(id__in=people.values("organization_id"))
        )


def _keys_beginning(text: str) -> QuerySet[ApiKey]:
    """Return the keys whose secret in use, or that before a rotation, begins like this."""
    own = text[len(LIVE_PREFIX) :][:LOOKUP_LENGTH]
    if len(own) < _LEAST_OF_KEY:
        return ApiKey.objects.none()
    keys = ApiKey.objects.filter(livemode=text.startswith(LIVE_PREFIX))
    return keys.filter(Q(lookup__startswith=own) | Q(previous_lookup__startswith=own))


def _in_state(rows: QuerySet[Organization], state: str) -> QuerySet[Organization]:
    match state:
        case "":
            return rows
        case "active":
            return rows.filter(suspended_at__isnull=True, deletion_requested_at__isnull=True)
        case "suspended":
            return rows.filter(suspended_at__isnull=False)
        case "closing":
            return rows.filter(deletion_requested_at__isnull=False)
        case "demo":
            return rows.filter(is_demo=True)
        case _:
            raise InvalidInputError("There is no such state.", param="state")
