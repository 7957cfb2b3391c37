"""Issue the statements that are due."""

from datetime import datetime
from typing import Any

from django.core.management.base import CommandParser

from billing.management.base import find_organization
from billing.services.statements.issuing import issue_due_statements
from core.commands import ServiceCommand


class Command(ServiceCommand):
    help = "Issue the statement of every whole month that has none; a daily task does it, too."

    def add_own_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--organization", metavar="ORG_ID")

    def run(self, *, options: dict[str, Any], at: datetime) -> tuple[str, dict[str, object]]:
        text = options["organization"]
        owner = find_organization(text).id if text else None
        issued = issue_due_statements(now=at, organization_id=owner)
        return f"Issued {issued} statements.", {"issued": issued}
