"""Set an exchange rate by hand."""

from datetime import datetime
from typing import Any

from django.core.management.base import CommandParser

from billing.management.base import read_decimal
from billing.services.fx import set_rate
from core.commands import ServiceCommand


class Command(ServiceCommand):
    help = "Set how many units of QUOTE one unit of BASE is worth; manual rates never go stale."

    def add_own_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("base", help="like USD")
        parser.add_argument("quote", help="like MXN")
        parser.add_argument("rate", help="like 20")

    def run(self, *, options: dict[str, Any], at: datetime) -> tuple[str, dict[str, object]]:
        base, quote = options["base"].upper(), options["quote"].upper()
        rate = read_decimal(options["rate"], "rate")
        rate_id = set_rate(base=base, quote=quote, rate=rate, source="manual", as_of=at, now=at)
        return f"1 {base} is {rate:f} {quote} from now on.", {
            "id": rate_id,
            "base": base,
            "quote": quote,
            "rate": f"{rate:f}",
            "source": "manual",
            "as_of": at.isoformat(),
        }
