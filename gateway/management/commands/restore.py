"""Restore the database from a backup."""

import json
from pathlib import Path
from typing import Any

from django.core.management import call_command
from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db import connection

from core.clock import now
from gateway.services.keeping.errors import KeepingError
from gateway.services.keeping.restoring import load_backup, note_restore, verified_manifest
from gateway.services.keeping.resuming import require_still, resume
from gateway.services.verification import verify_money
from gateway.storage import StorageError


class Command(BaseCommand):
    help = (
        "Restore a backup into the empty database of DATABASE_URL, bring what was under way to an"
        " end, and verify the ledger. Start the product only afterwards."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("file", metavar="FILE", nargs="?", help="a file made by backup")
        parser.add_argument(
            "--finish",
            action="store_true",
            help="in place of a file: do what follows the loading, after another tool restored",
        )
        parser.add_argument("--json", action="store_true", help="print one JSON object")

    def handle(self, *_args: object, **options: Any) -> None:
        if bool(options["file"]) == options["finish"]:
            raise CommandError("Name a FILE, or give --finish.")
        try:
            if options["finish"]:
                require_still()
            fields = {} if options["finish"] else self._load(Path(options["file"]))
        except KeepingError as error:
            raise CommandError(str(error)) from error
        if not options["json"]:
            self._say(fields)
        fields |= self._finish()
        if options["json"]:
            self.stdout.write(json.dumps(fields))
        elif fields["violations"]:
            self.stdout.write("\n".join(fields["findings"]))
        else:
            self.stdout.write(
                f"{fields['settled']} generations were settled from their images,"
                f" {fields['expired']} expired free of charge, {fields['left']} go on."
                f" {fields['sessions']} sessions ended; automatic top-ups of {fields['paused']}"
                " organizations pause. The ledger is sound: 0 violations."
            )
        if fields["violations"]:
            raise SystemExit(1)

    def _load(self, path: Path) -> dict[str, Any]:
        manifest = verified_manifest(path=path)
        loaded = load_backup(path=path, manifest=manifest)
        # A backup of an earlier version is brought to this one's tables.
        call_command("migrate", interactive=False, verbosity=0)
        note_restore(manifest=manifest, size_bytes=path.stat().st_size, now=now())
        return {
            "snapshot_at": loaded.snapshot_at.isoformat(),
            "product": manifest["product"],
            "rows": loaded.rows,
            "entries": loaded.entries,
            "warnings": list(loaded.warnings),
        }

    def _say(self, fields: dict[str, Any]) -> None:
        if not fields:
            return
        for warning in fields["warnings"]:
            self.stderr.write(f"Warning: {warning}")
        self.stdout.write(
            f"Restored {fields['rows']} rows and {fields['entries']} entries of the ledger:"
            f" everything committed before {fields['snapshot_at']}."
        )

    def _finish(self) -> dict[str, Any]:
        try:
            resumed = resume(now=now())
        except StorageError as error:
            raise CommandError(
                f"The image storage cannot be read ({error}). The database is restored; run"
                " `restore --finish` when it can, and start the product only afterwards."
            ) from error
        with connection.cursor() as cursor:
            # Of requests: a whole ledger is read in one snapshot, with work of ours in between.
            cursor.execute("SET statement_timeout = 0")
            cursor.execute("SET idle_in_transaction_session_timeout = 0")
        findings = verify_money(now=now())
        return {
            "settled": resumed.settled,
            "expired": resumed.expired,
            "left": resumed.left,
            "sessions": resumed.sessions,
            "paused": resumed.paused,
            "violations": len(findings),
            "findings": [f"{f.check}: {f.table} {f.row_id}: {f.message}" for f in findings],
        }
