"""Book the month-end revaluation of foreign currencies."""

from datetime import UTC, datetime
from typing import Any

from django.core.management.base import CommandError, CommandParser

from billing.money import format_amount
from billing.services.accounts import PLATFORM_CURRENCY
from billing.services.rates.revaluation import revalue_fx
from core.commands import ServiceCommand


class Command(ServiceCommand):
    help = "Book gains and losses of exchange at a month's closing rates. Safe to repeat."

    def add_own_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--month", required=True, help="like 2026-10")

    def run(self, *, options: dict[str, Any], at: datetime) -> tuple[str, dict[str, object]]:
        try:
            month = datetime.strptime(options["month"], "%Y-%m").replace(tzinfo=UTC).date()
        except ValueError as error:
            raise CommandError(
                f"'{options['month']}' is no month: write it like 2026-10."
            ) from error
        positions = revalue_fx(month=month, now=at)
        rows = [
            {
                "currency": one.currency,
                "balances": {
                    code: format_amount(amount, one.currency) for code, amount in one.balances
                },
                "position": format_amount(one.net_micros, one.currency),
                "origin": format_amount(one.origin_micros, PLATFORM_CURRENCY),
                "rate": f"{one.rate.rate.normalize():f}",
                "source": one.rate.source,
                "as_of": one.rate.as_of.isoformat(),
                "closing": format_amount(one.closing_micros, PLATFORM_CURRENCY),
                "gain": format_amount(one.gain_micros, PLATFORM_CURRENCY),
            }
            for one in positions
        ]
        sentence = "; ".join(
            f"{row['position']} {row['currency']}: {row['gain']} {PLATFORM_CURRENCY}"
            for row in rows
        )
        fields: dict[str, object] = {
            "month": f"{month:%Y-%m}",
            "currency": PLATFORM_CURRENCY,
            "positions": rows,
        }
        return sentence or "Nothing is held in a foreign currency.", fields
