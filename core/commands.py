"""What management commands share."""

import json
from datetime import datetime
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from core.clock import now
from core.errors import AppError


class ServiceCommand(BaseCommand):
    """A command that runs one service and prints what it did, as text or one JSON object."""

    def add_arguments(self, parser: CommandParser) -> None:
        """Add the command's own arguments and `--json`."""
        self.add_own_arguments(parser)
        parser.add_argument("--json", action="store_true", help="print one JSON object")

    def add_own_arguments(self, parser: CommandParser) -> None:
        """Add the arguments of this command."""

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
