"""Set the line below which a balance is low."""

from datetime import datetime
from typing import Any

from django.core.management.base import CommandParser

from billing.management.base import find_organization
from billing.money import format_amount, parse_amount
from billing.services.alerts import set_balance_alert
from core.commands import ServiceCommand
from orgs.services.audit import SYSTEM


class Command(ServiceCommand):
    help = "Send webhooks a balance.low whenever an organization's balance falls below a line."

    def add_own_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("org_id")
        parser.add_argument("amount", help="in the wallet's currency, like 10.00; 'none' for none")

    def run(self, *, options: dict[str, Any], at: datetime) -> tuple[str, dict[str, object]]:
        organization = find_organization(options["org_id"])
        currency = organization.currency
        below = None if options["amount"] == "none" else parse_amount(options["amount"], currency)
        set_balance_alert(organization_id=organization.id, below_micros=below, actor=SYSTEM)
        line = None if below is None else format_amount(below, currency)
        sentence = (
            f"balance.low is sent below {currency} {line}." if line else "No balance.low is sent."
        )
        return sentence, {
            "organization_id": str(organization.id),
            "below": line,
            "currency": currency,
        }
