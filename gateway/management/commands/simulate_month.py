"""Play a month of a whole business in a database of its own, and write its books as CSV files."""

from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

from django.core.management.base import CommandError, CommandParser

from core.commands import ServiceCommand
from gateway.services.simulation.month import require_scratch, simulate_month

_LEAST = 3


class Command(ServiceCommand):
    help = "Play a month with organizations in three currencies; write its books as CSV files."

    def add_own_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--seed", type=int, required=True, help="the same seed, the same month")
        parser.add_argument("--month", help="like 2026-10; last month unless told")
        parser.add_argument("--organizations", type=int, default=6)
        parser.add_argument("--generations", type=int, default=2000)
        parser.add_argument("--folder", type=Path, default=Path("simulated"))

    def run(self, *, options: dict[str, Any], at: datetime) -> tuple[str, dict[str, object]]:
        month = self._month(options["month"], at)
        if options["organizations"] < _LEAST or options["generations"] < 0:
            raise CommandError("There are at least three organizations, one for each currency.")
        require_scratch(month=month)
        done = simulate_month(
            seed=options["seed"],
            month=month,
            organizations=options["organizations"],
            generations=options["generations"],
            folder=options["folder"],
        )
        told = ", ".join(f"{count} {what}" for what, count in sorted(done.done.items()))
        return f"{month:%Y-%m} in {options['folder']}: {told}; {done.statements} statements.", {
            "month": f"{month:%Y-%m}",
            "folder": str(options["folder"]),
            "organizations": [str(one) for one in done.organizations],
            "statements": done.statements,
            "done": dict(done.done),
        }

    def _month(self, text: str | None, at: datetime) -> date:
        first = at.astimezone(UTC).date().replace(day=1)
        if text is None:
            return date(first.year - (first.month == 1), (first.month - 2) % 12 + 1, 1)
        try:
            month = datetime.strptime(text, "%Y-%m").replace(tzinfo=UTC).date()
        except ValueError as error:
            raise CommandError(f"'{text}' is no month: write it like 2026-10.") from error
        if month >= first:
            raise CommandError(f"{text} is not over yet.")
        return month
