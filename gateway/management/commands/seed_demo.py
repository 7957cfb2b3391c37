"""Create the demo organization, its people and its key, or find them again."""

import os
import secrets
from datetime import datetime
from typing import Any

from django.db import transaction

from billing.services.topups import top_up
from core.errors import AppError
from gateway.management.base import ServiceCommand
from gateway.services.onboarding import KeyTerms, open_api_key, open_organization
from orgs.models import Membership, Organization, User
from orgs.services.api_keys import authenticate_key
from orgs.services.organizations import add_member, create_user

NAME = "Demo"
CURRENCY = "USD"
CREDIT_MICROS = 1_000_000_000  # USD 1,000
PEOPLE = (
    ("LIENZO_ADMIN", "admin@demo.localhost", "operator"),
    ("LIENZO_FINANCE", "finance@demo.localhost", "finance"),
)


class Command(ServiceCommand):
    help = "Seed a demo organization with credit. Reuses a key and passwords that still work."

    def run(self, *, options: dict[str, Any], at: datetime) -> tuple[str, dict[str, object]]:
        fields: dict[str, object] = {}
        with transaction.atomic():
            organization = Organization.objects.filter(is_demo=True, name=NAME).first()
            if organization is None:
                organization = open_organization(name=NAME, currency=CURRENCY, is_demo=True)
                top_up(
                    organization_id=organization.id,
                    amount_micros=CREDIT_MICROS,
                    idempotency_key=f"demo:{organization.id}",
                    source="demo",
                    now=at,
                )
            fields["LIENZO_API_KEY"] = _key(organization, at)
            for prefix, email, role in PEOPLE:
                user, password = _person(prefix, email, role)
                if prefix == "LIENZO_ADMIN":
                    add_member(organization=organization, user=user, role=Membership.Role.OWNER)
                fields[f"{prefix}_EMAIL"] = email
                fields[f"{prefix}_PASSWORD"] = password
        return f"The demo organization is {organization.id}.", fields


def _key(organization: Organization, at: datetime) -> str:
    """Return the key given in the environment while it works, else a new one."""
    given = os.environ.get("LIENZO_API_KEY", "")
    try:
        if authenticate_key(text=given, now=at).organization_id == organization.id:
            return given
    except AppError:
        pass
    return open_api_key(organization=organization, terms=KeyTerms(name="Demo key"))[1]


def _person(prefix: str, email: str, role: str) -> tuple[User, str]:
    """Return the person and the password given while it works, else a new password."""
    given = os.environ.get(f"{prefix}_PASSWORD", "")
    user = User.objects.filter(email=email).first()
    if user is not None and given and user.check_password(given):
        return user, given
    password = secrets.token_urlsafe(18)
    if user is None:
        return create_user(email=email, password=password, staff_role=role), password
    user.set_password(password)
    user.save(update_fields=["password"])
    return user, password
