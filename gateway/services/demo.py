"""The demo organization: credit, a key and two people, made once and found again."""

import secrets
from collections.abc import Mapping
from datetime import datetime

from django.db import transaction

from billing.services.topups import top_up
from core.errors import AppError
from gateway.services.onboarding import KeyTerms, open_api_key, open_organization
from orgs.models import Membership, Organization, User
from orgs.selectors import find_demo_organization
from orgs.services.api_keys import authenticate_key
from orgs.services.audit import SYSTEM
from orgs.services.organizations import add_member, create_user

NAME = "Demo"
API_KEY = "LIENZO_API_KEY"
CURRENCY = "USD"
CREDIT_MICROS = 1_000_000_000  # USD 1,000
PEOPLE = (
    ("LIENZO_ADMIN", "admin@demo.localhost", "operator"),
    ("LIENZO_FINANCE", "finance@demo.localhost", "finance"),
)


def seed_demo(*, given: Mapping[str, str], now: datetime) -> tuple[Organization, dict[str, object]]:
    """Make or find the demo organization, in one transaction.

    Args:
        given: `LIENZO_*` values of an earlier run, kept where they still work.
        now: The instant of the credit.

    Returns:
        The organization, and the `LIENZO_*` values to use from now on, secrets included.
    """
    values: dict[str, object] = {}
    with transaction.atomic():
        organization = find_demo_organization(name=NAME)
        if organization is None:
            organization = open_organization(name=NAME, currency=CURRENCY, is_demo=True)
            top_up(
                organization_id=organization.id,
                amount_micros=CREDIT_MICROS,
                idempotency_key=f"demo:{organization.id}",
                source="demo",
                now=now,
            )
        values[API_KEY] = _key(organization, given.get(API_KEY, ""), now)
        for prefix, email, role in PEOPLE:
            user, password = _person(email, role, given.get(f"{prefix}_PASSWORD", ""))
            if prefix == "LIENZO_ADMIN":
                add_member(
                    organization=organization,
                    user=user,
                    role=Membership.Role.OWNER,
                    actor=SYSTEM,
                )
            values[f"{prefix}_EMAIL"] = email
            values[f"{prefix}_PASSWORD"] = password
    return organization, values


def _key(organization: Organization, given: str, now: datetime) -> str:
    """Return the given key while it works, else a new one."""
    try:
        if authenticate_key(text=given, now=now).organization_id == organization.id:
            return given
    except AppError:
        pass
    return open_api_key(organization=organization, terms=KeyTerms(name="Demo key"))[1]


def _person(email: str, role: str, given: str) -> tuple[User, str]:
    """Return the person and the given password while it works, else a new password."""
    user = User.objects.filter(email=email).first()
    if user is not None and given and user.check_password(given):
        return user, given
    password = secrets.token_urlsafe(18)
    if user is None:
        user = create_user(email=email, password=password, staff_role=role, actor=SYSTEM)
        return user, password
    user.set_password(password)
    user.save(update_fields=["password"])
    return user, password
