"""Fail if any image would be sold below its cost."""

from decimal import Decimal, InvalidOperation
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from gateway.catalog.check import DEFAULT_MARKUP, check_catalog


class Command(BaseCommand):
    """Compare the worst cost of every route, size and quality with its list price and markup."""

    help = "Check every route, size and quality of the catalog for losses. Needs no database."
    requires_system_checks = []

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--markup", default=str(DEFAULT_MARKUP), help="a fraction; 0.05 is 5%%")

    def handle(self, *args: Any, **options: Any) -> None:
        del args
        try:
            markup = Decimal(options["markup"])
        except InvalidOperation as error:
            raise CommandError("--markup must be a decimal such as 0.05") from error
        if not markup.is_finite():
            raise CommandError("--markup must be a decimal such as 0.05")
        findings = check_catalog(markup)
        for finding in findings:
            self.stdout.write(finding)
        if findings:
            raise CommandError(f"{len(findings)} findings", returncode=1)
        self.stdout.write("The catalog is sound.")
