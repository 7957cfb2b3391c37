"""Revoke an API key."""

from datetime import datetime
from typing import Any
from uuid import UUID

from django.core.management.base import CommandParser

from core.commands import ServiceCommand
from orgs.services.audit import SYSTEM
from orgs.services.key_administration import revoke_api_key


class Command(ServiceCommand):
    help = "Revoke a key for good. It stops working in every process within two seconds."

    def add_own_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("key", metavar="KEY_ID", type=UUID)

    def run(self, *, options: dict[str, Any], at: datetime) -> tuple[str, dict[str, object]]:
        revoke_api_key(api_key_id=options["key"], actor=SYSTEM, now=at)
        return f"Revoked key {options['key']}.", {"id": str(options["key"]), "revoked": True}
