"""Give an organization promotional credit."""

from datetime import datetime
from typing import Any

from django.core.management.base import CommandError, CommandParser
from django.utils.dateparse import parse_datetime

from billing.management.base import find_organization
from billing.money import format_amount, parse_amount
from billing.selectors.balances import get_balance
from billing.services.credits.granting import GrantTerms, give_credit
from core.commands import ServiceCommand


class Command(ServiceCommand):
    help = "Give an organization promotional credit, spent before its wallet until it expires."

    def add_own_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("org_id")
        parser.add_argument("amount", help="decimal number in the wallet's currency, like 10.00")
        parser.add_argument(
            "--expires", required=True, help="when it expires, like 2027-01-01T00:00:00+00:00"
        )
        parser.add_argument("--reason", required=True, help="why it is given; finance sees it")

    def run(self, *, options: dict[str, Any], at: datetime) -> tuple[str, dict[str, object]]:
        organization = find_organization(options["org_id"])
        currency = organization.currency
        grant = give_credit(
            organization_id=organization.id,
            terms=GrantTerms(
                amount_micros=parse_amount(options["amount"], currency),
                currency=currency,
                expires_at=_instant(options["expires"]),
                reason=options["reason"],
            ),
            now=at,
        )
        amount = format_amount(grant.amount_micros, currency)
        balance = get_balance(organization_id=organization.id)
        available = format_amount(balance.available_micros, currency)
        expires_at = grant.expires_at.isoformat()
        sentence = (
            f"Gave {currency} {amount} of promotional credit until {expires_at};"
            f" {currency} {available} is available."
        )
        return (
            sentence,
            {
                "organization_id": str(organization.id),
                "grant_id": str(grant.id),
                "amount": amount,
                "currency": currency,
                "expires_at": expires_at,
                "available": available,
            },
        )


def _instant(text: str) -> datetime:
    try:
        found = parse_datetime(text)
    except ValueError:
        found = None
    if found is None or found.tzinfo is None:
        raise CommandError(
            f"'{text}' is not an instant: write it with its zone, like 2027-01-01T00:00:00+00:00."
        )
    return found
