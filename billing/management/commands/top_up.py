"""Credit an organization's wallet."""

from datetime import datetime
from typing import Any
from uuid import UUID

from django.core.management.base import CommandParser

from billing.management.base import find_organization
from billing.money import format_amount, parse_amount
from billing.selectors.balances import get_balance
from billing.services.topups import top_up
from billing.services.transactions import retrying
from billing.types import EntryView
from core.commands import ServiceCommand
from core.ids import new_uuid


class Command(ServiceCommand):
    help = "Credit an organization's wallet, in the wallet's currency."

    def add_own_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("org_id")
        parser.add_argument("amount", help="decimal number in the wallet's currency, like 10.00")
        parser.add_argument("--idempotency-key", help="repeating a top-up under one key books once")
        parser.add_argument("--reference", default="", help="the payment's id at its source")

    def run(self, *, options: dict[str, Any], at: datetime) -> tuple[str, dict[str, object]]:
        organization = find_organization(options["org_id"])
        currency = organization.currency
        amount_micros = parse_amount(options["amount"], currency)
        key = options["idempotency_key"] or f"command:{new_uuid()}"

        def book() -> EntryView:
            return top_up(
                organization_id=organization.id,
                amount_micros=amount_micros,
                idempotency_key=key,
                now=at,
                reference=options["reference"],
            )

        entry = retrying(book)
        return self._report(organization.id, amount_micros, currency, entry)

    def _report(
        self, organization_id: UUID, amount_micros: int, currency: str, entry: EntryView
    ) -> tuple[str, dict[str, object]]:
        amount = format_amount(amount_micros, currency)
        available = format_amount(
            get_balance(organization_id=organization_id).available_micros, currency
        )
        done = "Added" if entry.created else "Had already added"
        return f"{done} {currency} {amount}; {currency} {available} is available.", {
            "organization_id": str(organization_id),
            "entry_id": str(entry.id),
            "created": entry.created,
            "amount": amount,
            "currency": currency,
            "available": available,
        }
