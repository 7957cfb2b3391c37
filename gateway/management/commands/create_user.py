"""Create a person who signs in with a password."""

import secrets
from datetime import datetime
from typing import Any

from django.core.management.base import CommandParser

from core.commands import ServiceCommand
from orgs.services.audit import SYSTEM
from orgs.services.organizations import create_user


class Command(ServiceCommand):
    help = "Create a user with a drawn password and print it, once."

    def add_own_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("email")
        parser.add_argument("--name", default="")
        parser.add_argument("--staff", choices=["operator", "finance"], default="")

    def run(self, *, options: dict[str, Any], at: datetime) -> tuple[str, dict[str, object]]:
        password = secrets.token_urlsafe(18)
        user = create_user(
            email=options["email"],
            password=password,
            name=options["name"],
            staff_role=options["staff"],
            actor=SYSTEM,
        )
        fields: dict[str, object] = {
            "id": str(user.id),
            "email": user.email,
            "password": password,
            "staff": user.staff_role,
        }
        return f"Created {user.email}. The password is shown this once: {password}", fields
