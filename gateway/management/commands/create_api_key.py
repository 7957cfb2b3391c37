"""Mint an API key."""

from datetime import datetime
from typing import Any

from django.core.management.base import CommandParser

from billing.management.base import find_organization
from billing.money import parse_amount
from core.commands import ServiceCommand
from gateway.services.onboarding import KeyTerms, describe, open_api_key
from orgs.errors import InvalidInputError
from orgs.services.api_keys import Rates


class Command(ServiceCommand):
    help = "Mint an API key and print it, once."

    def add_own_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("organization", metavar="ORG_ID")
        parser.add_argument("--name", default="API key")
        parser.add_argument("--test", action="store_true", help="a key that only draws samples")
        parser.add_argument("--budget", help="monthly, in the organization's currency")
        parser.add_argument("--models", default="", help="comma-separated ids; none means all")
        parser.add_argument("--scopes", default="", help="comma-separated; none means all")
        parser.add_argument("--cidr", default="", help="comma-separated networks; none means all")
        parser.add_argument("--expires", help="ISO 8601 with zone")
        parser.add_argument("--requests-per-minute", type=int, metavar="N")
        parser.add_argument("--images-per-minute", type=int, metavar="N")
        parser.add_argument(
            "--concurrent", type=int, metavar="N", help="most generations in flight"
        )

    def run(self, *, options: dict[str, Any], at: datetime) -> tuple[str, dict[str, object]]:
        organization = find_organization(options["organization"])
        budget = options["budget"]
        terms = KeyTerms(
            name=options["name"],
            livemode=not options["test"],
            scopes=_words(options["scopes"]),
            models_allowed=_words(options["models"]),
            cidrs=_words(options["cidr"]),
            max_concurrent=options["concurrent"],
            rates=Rates(options["requests_per_minute"], options["images_per_minute"]),
            expires_at=_instant(options["expires"]),
            budget_micros=None if budget is None else parse_amount(budget, organization.currency),
        )
        api_key, secret = open_api_key(organization=organization, terms=terms)
        sentence = f"Created key {api_key.id}. It is shown this once:\n{secret}"
        return sentence, {**describe(organization.id, api_key), "key": secret}


def _words(text: str) -> list[str]:
    return [word.strip() for word in text.split(",") if word.strip()]


def _instant(text: str | None) -> datetime | None:
    if text is None:
        return None
    try:
        return datetime.fromisoformat(text)
    except ValueError as error:
        raise InvalidInputError(f"--expires: {error}", param="expires") from error
