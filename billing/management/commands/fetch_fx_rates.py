"""Fetch exchange rates."""

from dataclasses import asdict
from datetime import datetime
from typing import Any

from django.core.management.base import CommandError, CommandParser

from billing.services.rates.fetching import fetch_rates, load_shipped_rates
from core.commands import ServiceCommand


class Command(ServiceCommand):
    help = "Fetch what the sources of exchange rates have published. Safe to repeat."

    def add_own_arguments(self, parser: CommandParser) -> None:
        parser.add_argument(
            "--offline",
            action="store_true",
            help="record the ECB's rates that were shipped with this software, with their dates",
        )

    def run(self, *, options: dict[str, Any], at: datetime) -> tuple[str, dict[str, object]]:
        results = [load_shipped_rates(now=at)] if options["offline"] else fetch_rates(now=at)
        if all(one.error for one in results):
            raise CommandError("; ".join(f"{one.source}: {one.error}" for one in results))
        sentence = " ".join(
            f"{one.source}: {one.error}."
            if one.error
            else f"{one.source}: {one.added} new rates, {one.aside} kept aside."
            for one in results
        )
        return sentence, {"sources": [asdict(one) for one in results]}
