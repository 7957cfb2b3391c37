"""Creating organizations and people."""

from zoneinfo import available_timezones

from allauth.account.models import EmailAddress
from django.db import transaction

from orgs.errors import InvalidInputError
from orgs.models import Membership, Organization, User
from orgs.services.api_keys import Rates


def create_organization(
    *,
    name: str,
    currency: str,
    time_zone: str = "UTC",
    image_policy: str = Organization.ImagePolicy.PUBLIC,
    is_demo: bool = False,
    max_concurrent: int | None = None,
    rates: Rates = Rates(),  # noqa: B008 - immutable
) -> Organization:
    """Create an organization. Joins the caller's transaction.

    Its accounts are opened by `billing.services.accounts.open_accounts`, which the caller runs in
    the same transaction: this app stands below billing and cannot.

    Raises:
        InvalidInputError: The name is blank, the time zone unknown, the policy not a policy, or a
            limit cannot be.
    """
    if not name.strip():
        raise InvalidInputError("Give the organization a name.", param="name")
    if time_zone not in available_timezones():
        raise InvalidInputError(f"Unknown time zone {time_zone!r}.", param="time_zone")
    if image_policy not in Organization.ImagePolicy.values:
        raise InvalidInputError("image_policy is public or signed.", param="image_policy")
    if max_concurrent is not None and max_concurrent < 1:
        raise InvalidInputError("max_concurrent is at least 1.", param="max_concurrent")
    rates.check()
    return Organization.objects.create(
        name=name.strip(),
        currency=currency,
        time_zone=time_zone,
        image_policy=image_policy,
        is_demo=is_demo,
        max_concurrent=max_concurrent,
        requests_per_minute=rates.requests_per_minute,
        images_per_minute=rates.images_per_minute,
    )


def create_user(*, email: str, password: str, name: str = "", staff_role: str = "") -> User:
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
    return user


def add_member(*, organization: Organization, user: User, role: str) -> Membership:
    """Give a person a role; a person already a member gets the new role."""
    if role not in Membership.Role.values:
        raise InvalidInputError(f"Unknown role {role!r}.", param="role")
    membership, _ = Membership.objects.update_or_create(
        organization=organization, user=user, defaults={"role": role}
    )
    return membership
