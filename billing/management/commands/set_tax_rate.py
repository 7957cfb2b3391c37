"""Set what tax a country puts on top-ups."""

from datetime import UTC, datetime, time
from typing import Any

from django.core.management.base import CommandError, CommandParser
from django.utils.dateparse import parse_date

from billing.management.base import read_decimal
from billing.services.taxes.rates import NewTaxRate, set_tax_rate
from core.commands import ServiceCommand
from orgs.services.audit import SYSTEM


class Command(ServiceCommand):
    help = "Set the tax of a country on money that is added; payments that exist keep theirs."

    def add_own_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("country", help="two letters, like MX")
        parser.add_argument("percent", help="like 16; 0 ends it")
        parser.add_argument("--name", required=True, help="like IVA")
        parser.add_argument("--from", dest="since", help="a day in UTC, like 2027-01-01; else now")

    def run(self, *, options: dict[str, Any], at: datetime) -> tuple[str, dict[str, object]]:
        percent = read_decimal(options["percent"], "percentage")
        row = set_tax_rate(
            terms=NewTaxRate(
                options["country"], options["name"], percent / 100, _begin(options["since"])
            ),
            actor=SYSTEM,
            now=at,
        )
        begins = row.active_from.isoformat()
        return f"{row.name} of {row.country} is {percent:f} % from {begins} on.", {
            "id": row.id,
            "country": row.country,
            "name": row.name,
            "rate": f"{row.rate.normalize():f}",
            "active_from": begins,
        }


def _begin(text: str | None) -> datetime | None:
    if text is None:
        return None
    try:
        day = parse_date(text)
    except ValueError:
        day = None
    if day is None:
        raise CommandError(f"'{text}' is no day: write it like 2027-01-01.")
    return datetime.combine(day, time(), UTC)
