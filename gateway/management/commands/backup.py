"""Write a backup of the database."""

import json
import sys
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from core.clock import now
from gateway.services.keeping.dumping import back_up, back_up_to_stream
from gateway.services.keeping.errors import KeepingError


class Command(BaseCommand):
    help = (
        "Write the whole database, as of one instant, to a new file or, for -, to standard output."
        " The product may serve meanwhile. Images are not in it."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("file", metavar="FILE", help="a file that does not exist, or -")
        parser.add_argument("--json", action="store_true", help="print one JSON object")

    def handle(self, *_args: object, **options: Any) -> None:
        is_stream = options["file"] == "-"
        try:
            written = (
                back_up_to_stream(stream=sys.stdout.buffer, now=now())
                if is_stream
                else back_up(path=Path(options["file"]), now=now())
            )
        except KeepingError as error:
            raise CommandError(str(error)) from error
        manifest = written.manifest
        fields = {
            **{name: manifest[name] for name in ("id", "snapshot_at", "finished_at")},
            "file": options["file"],
            "size_bytes": written.backup.size_bytes,
            "sha256": manifest["dump"]["sha256"],
            "is_encrypted": manifest["is_encrypted"],
            "rows": sum(manifest["rows"].values()),
            "entries": manifest["ledger"]["entries"],
        }
        sentence = (
            f"Backed up {fields['rows']} rows and {fields['entries']} entries of the ledger as of"
            f" {fields['snapshot_at']}: {fields['size_bytes']} bytes in {options['file']}."
        )
        out = self.stderr if is_stream else self.stdout
        out.write(json.dumps(fields) if options["json"] else sentence)
