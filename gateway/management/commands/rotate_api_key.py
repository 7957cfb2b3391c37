"""Give an API key a new secret."""

import re
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from django.core.management.base import CommandParser

from core.commands import ServiceCommand
from gateway.services.onboarding import describe
from orgs.errors import InvalidInputError
from orgs.services.audit import SYSTEM
from orgs.services.key_administration import rotate_api_key

SPAN = re.compile(r"([0-9]{1,7})([smhd])|0")
UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days"}


class Command(ServiceCommand):
    help = (
        "Give a key a new secret and print it, once. The key keeps its id, budget, limits and"
        " scopes; the old secret works until the overlap ends."
    )

    def add_own_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("key", metavar="KEY_ID", type=UUID)
        parser.add_argument("--overlap", default="24h", help="e.g. 90s, 30m, 24h (default), 7d, 0")

    def run(self, *, options: dict[str, Any], at: datetime) -> tuple[str, dict[str, object]]:
        overlap = _span(options["overlap"])
        api_key, secret = rotate_api_key(
            api_key_id=options["key"], overlap=overlap, actor=SYSTEM, now=at
        )
        ends = (at + overlap).isoformat(timespec="seconds")
        sentence = (
            f"Rotated key {api_key.id}. The old secret works until {ends}. The new one is shown"
            f" this once:\n{secret}"
        )
        fields = describe(api_key.organization_id, api_key)
        return sentence, {**fields, "key": secret, "old_key_works_until": ends}


def _span(text: str) -> timedelta:
    found = SPAN.fullmatch(text)
    if found is None:
        raise InvalidInputError(
            f"--overlap: {text!r} is not a span such as 90s, 30m, 24h, 7d or 0.", param="overlap"
        )
    return timedelta(**{UNITS[found[2]]: int(found[1])}) if found[2] else timedelta(0)
