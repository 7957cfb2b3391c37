"""Set what is added to exchange rates."""

from datetime import datetime
from typing import Any

from django.core.management.base import CommandParser

from billing.management.base import find_organization, read_decimal
from billing.services.rates.spreads import set_spread
from core.commands import ServiceCommand


class Command(ServiceCommand):
    help = "Set the spread on exchange rates: a fraction, 0.01 is one percent."

    def add_own_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("rate", help="like 0.01")
        parser.add_argument("--pair", default="/", help="like USD/MXN; without it every pair")
        parser.add_argument("--organization", help="id; without it everybody")

    def run(self, *, options: dict[str, Any], at: datetime) -> tuple[str, dict[str, object]]:
        base, _, quote = options["pair"].upper().partition("/")
        rate = read_decimal(options["rate"], "spread")
        owner = options["organization"]
        organization_id = None if owner is None else find_organization(owner).id
        spread_id = set_spread(
            rate=rate, now=at, base=base, quote=quote, organization_id=organization_id
        )
        return f"The spread is {rate:f} from now on.", {
            "id": spread_id,
            "base": base,
            "quote": quote,
            "organization": None if organization_id is None else str(organization_id),
            "rate": f"{rate:f}",
        }
