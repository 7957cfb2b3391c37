"""Close a month of the books."""

from datetime import UTC, datetime
from typing import Any

from django.core.management.base import CommandError, CommandParser

from core.commands import ServiceCommand
from gateway.services.periods.closing import close_month
from orgs.services.audit import SYSTEM


class Command(ServiceCommand):
    help = "Close a month for good: nothing takes effect in it any more. Refuses unfinished ones."

    def add_own_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--month", required=True, help="like 2026-10")

    def run(self, *, options: dict[str, Any], at: datetime) -> tuple[str, dict[str, object]]:
        try:
            month = datetime.strptime(options["month"], "%Y-%m").replace(tzinfo=UTC).date()
        except ValueError as error:
            raise CommandError(
                f"'{options['month']}' is no month: write it like 2026-10."
            ) from error
        close = close_month(month=month, actor=SYSTEM, now=at)
        fields: dict[str, object] = {
            "month": f"{month:%Y-%m}",
            "closed_at": close.closed_at.isoformat(),
            "digest": close.digest,
        }
        return f"{month:%Y-%m} is closed; its books have the digest {close.digest}.", fields
