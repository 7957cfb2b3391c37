"""What the money commands share."""

import json
from datetime import datetime
from decimal import Decimal, InvalidOperation
from typing import Any, NoReturn
from uuid import UUID

from django.core.management.base import BaseCommand, CommandError, CommandParser

from core.clock import now
from core.errors import AppError
from orgs.models import Organization


class MoneyCommand(BaseCommand):
    """A command that runs one service and prints what it did, as text or one JSON object."""

    def add_arguments(self, parser: CommandParser) -> None:
        """Add the command's own arguments and `--json`."""
        self.add_money_arguments(parser)
        parser.add_argument("--json", action="store_true", help="print one JSON object")

    def add_money_arguments(self, parser: CommandParser) -> None:
        """Add the arguments of this command."""
        raise NotImplementedError

    def run(self, *, options: dict[str, Any], at: datetime) -> tuple[str, dict[str, object]]:
        """Do the work; return a sentence and the JSON object."""
        raise NotImplementedError

    def handle(self, *_args: object, **options: Any) -> None:  # noqa: ANN401 - Django's signature
        """Run the service; an anticipated failure becomes one clear line."""
        try:
            sentence, fields = self.run(options=options, at=now())
        except AppError as error:
            raise CommandError(error.message) from error
        self.stdout.write(json.dumps(fields) if options["json"] else sentence)


def find_organization(text: str) -> Organization:
    """Return the organization with this id.

    Raises:
        CommandError: The text is not a UUID, or no organization has it.
    """
    try:
        return Organization.objects.get(id=UUID(text))
    except ValueError:
        _refuse(f"'{text}' is not an organization id: use the UUID that create_org printed.")
    except Organization.DoesNotExist:
        _refuse(f"There is no organization {text}.")


def read_decimal(text: str, what: str) -> Decimal:
    """Return a number written without exponent tricks.

    Raises:
        CommandError: It is not a finite decimal number.
    """
    try:
        number = Decimal(text)
    except InvalidOperation:
        _refuse(f"'{text}' is not a {what}: write a decimal number, like 0.040.")
    if not number.is_finite():
        _refuse(f"'{text}' is not a {what}: write a decimal number, like 0.040.")
    return number


def _refuse(message: str) -> NoReturn:
    raise CommandError(message) from None
