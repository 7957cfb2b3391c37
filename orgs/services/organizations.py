"""Creating organizations and people; what a person keeps: a language, sessions."""

from uuid import UUID
from zoneinfo import available_timezones

from allauth.account.models import EmailAddress
from allauth.usersessions.models import UserSession
from django.contrib.sessions.models import Session
from django.db import transaction

from orgs.errors import InvalidInputError
from orgs.models import Membership, Organization, User, lock_organization
from orgs.services.api_keys import Rates
from orgs.services.audit import Action, Actor, Target, record, snapshot

NAME_MAX_LENGTH = 200
_LOGGED = (
    "name",
    "currency",
    "time_zone",
    "language",
    "image_policy",
    "is_demo",
    "max_concurrent",
    "requests_per_minute",
    "images_per_minute",
)


def create_organization(
    *,
    name: str,
    currency: str,
    actor: Actor,
    time_zone: str = "UTC",
    language: str = Organization.Language.ENGLISH,
    is_demo: bool = False,
    max_concurrent: int | None = None,
    rates: Rates = Rates(),  # noqa: B008 - immutable
) -> Organization:
    """Create an organization. Joins the caller's transaction.

    Its accounts are opened by `billing.services.accounts.open_accounts`, which the caller runs in
    the same transaction: this app stands below billing and cannot.

    Raises:
        InvalidInputError: The name is blank, the time zone unknown, the language not one, or a
            limit cannot be.
    """
    checked_name(name)
    if time_zone not in available_timezones():
        raise InvalidInputError(f"Unknown time zone {time_zone!r}.", param="time_zone")
    if max_concurrent is not None and max_concurrent < 1:
        raise InvalidInputError("max_concurrent is at least 1.", param="max_concurrent")
    if language not in Organization.Language.values:
        raise InvalidInputError("The language is en or es.", param="language")
    rates.check()
    organization = Organization.objects.create(
        name=checked_name(name),
        currency=currency,
        time_zone=time_zone,
        language=language,
        is_demo=is_demo,
        max_concurrent=max_concurrent,
        requests_per_minute=rates.requests_per_minute,
        images_per_minute=rates.images_per_minute,
    )
    record(
        action=Action.ORGANIZATION_CREATED,
        actor=actor,
        organization_id=organization.id,
        target=Target("organization", organization.id, organization.name),
        after=snapshot(organization, _LOGGED),
    )
    return organization


def checked_name(name: str) -> str:
    """Return an organization's name as it is kept: one line, since it stands in subjects of mail.

    Raises:
        InvalidInputError: It is blank or too long.
    """
    kept = " ".join(name.split())
    if not 0 < len(kept) <= NAME_MAX_LENGTH or not kept.isprintable():
        raise InvalidInputError(
            f"Give the organization a name of at most {NAME_MAX_LENGTH} characters.", param="name"
        )
    return kept


def create_user(
    *, email: str, password: str, actor: Actor, name: str = "", staff_role: str = ""
) -> User:
    """Create a person who signs in with a password.

    Raises:
        InvalidInputError: The address is taken or the staff role unknown.
    """
    if staff_role not in User.StaffRole.values:
        raise InvalidInputError("The staff role is operator or finance.", param="staff")
    with transaction.atomic():
        if User.objects.filter(email__iexact=email.strip()).exists():
            raise InvalidInputError(f"A user {email} exists already.", param="email")
        user = User.objects.create_user(
            email, password, name=name, staff_role=staff_role, is_superuser=False
        )
        # Whoever may run commands vouches for the address.
        EmailAddress.objects.create(
            user=user, email=user.email.lower(), verified=True, primary=True
        )
        record(
            action=Action.USER_CREATED,
            actor=actor,
            organization_id=None,
            target=Target("user", user.id, user.email),
            after={"name": user.name, "staff_role": user.staff_role},
        )
    return user


def choose_language(*, user: User, language: str) -> None:
    """Keep the language that a person chose, for their pages and mails.

    Raises:
        InvalidInputError: There is no such language.
    """
    if language not in Organization.Language.values:
        raise InvalidInputError("The language is en or es.", param="language")
    User.objects.filter(id=user.id).update(language=language)


def end_sessions(*, user_id: UUID, session_id: int | None = None, but_key: str | None = "") -> int:
    """End a person's sessions at once; return how many.

    Args:
        user_id: Whose.
        session_id: This one alone, rather than all.
        but_key: The key of the session in use, which goes on.
    """
    rows = UserSession.objects.filter(user_id=user_id).exclude(session_key=but_key or "")
    if session_id is not None:
        rows = rows.filter(id=session_id)
    with transaction.atomic():
        keys = list(rows.values_list("session_key", flat=True))
        Session.objects.filter(session_key__in=keys).delete()
        rows.filter(session_key__in=keys).delete()
    return len(keys)


def follow_session(*, user_id: UUID, before: str, after: str) -> None:
    """Keep a session in its owner's list whose key has changed while they were signed in."""
    if not UserSession.objects.filter(session_key=after).exists():
        UserSession.objects.filter(user_id=user_id, session_key=before).update(session_key=after)


def add_member(
    *, organization: Organization, user: User, role: str, actor: Actor
) -> tuple[Membership, bool]:
    """Make a person a member; return the membership and whether it is new.

    For whoever may let anyone in: founding, invitations, commands. One who is a member keeps the
    role they have; `orgs.services.members` changes it.

    Raises:
        InvalidInputError: No such role.
    """
    if role not in Membership.Role.values:
        raise InvalidInputError(f"Unknown role {role!r}.", param="role")
    with transaction.atomic():
        lock_organization(organization.id)
        membership, created = Membership.objects.get_or_create(
            organization=organization, user=user, defaults={"role": role}
        )
        if created:
            record(
                action=Action.MEMBER_ADDED,
                actor=actor,
                organization_id=organization.id,
                target=Target("member", user.id, user.email),
                after={"role": role},
            )
    return membership, created
