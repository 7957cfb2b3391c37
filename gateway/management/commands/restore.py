"""Restore the database from a backup."""

import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

from django.core.management import call_command
from django.core.management.base import BaseCommand, CommandError, CommandParser

from core.clock import now
from gateway.services.keeping.errors import KeepingError
from gateway.services.keeping.restoring import (
    load_backup,
    note_restore,
    take_up,
    verified_manifest,
)
from gateway.services.keeping.resuming import resume
from gateway.services.keeping.unfinished import restoring_alone
from gateway.services.verification import verify_money
from gateway.storage import StorageError


class Command(BaseCommand):
    help = (
        "Restore a backup into the empty database of DATABASE_URL, bring what was under way to an"
        " end, and verify the ledger. Start the product only afterwards. One that died is gone on"
        " with by the same command, or by --finish."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("file", metavar="FILE", nargs="?", help="a file made by backup")
        parser.add_argument(
            "--finish",
            action="store_true",
            help="in place of a file: do what follows the loading, after another tool restored or"
            " a restore died",
        )
        parser.add_argument("--json", action="store_true", help="print one JSON object")

    def handle(self, *_args: object, **options: Any) -> None:
        if bool(options["file"]) == options["finish"]:
            raise CommandError("Name a FILE, or give --finish.")
        try:
            with restoring_alone():
                fields = self._restore(options["file"], is_json=options["json"])
        except KeepingError as error:
            raise CommandError(str(error)) from error
        if options["json"]:
            self.stdout.write(json.dumps(fields))
        else:
            self._say_resumed(fields)
        if fields["violations"] or fields["unsettled"]:
            raise SystemExit(1)

    def _restore(self, file: str | None, *, is_json: bool) -> dict[str, Any]:
        if file is None:
            loaded = take_up()
        else:
            path = Path(file)
            loaded = load_backup(path=path, manifest=verified_manifest(path=path))
        # A backup of an earlier version is brought to this one's tables.
        call_command("migrate", interactive=False, verbosity=0)
        fields: dict[str, Any] = {}
        if loaded is not None:
            fields = {**asdict(loaded), "snapshot_at": loaded.snapshot_at.isoformat()}
            if not is_json:
                self._say_loaded(fields)
        return fields | self._finish()

    def _say_loaded(self, fields: dict[str, Any]) -> None:
        for warning in fields["warnings"]:
            self.stderr.write(f"Warning: {warning}")
        self.stdout.write(
            f"Restored {fields['rows']} rows and {fields['entries']} entries of the ledger:"
            f" everything committed before {fields['snapshot_at']}."
        )

    def _say_resumed(self, fields: dict[str, Any]) -> None:
        ledger = "" if fields["violations"] else " The ledger is sound: 0 violations."
        self.stdout.write(
            f"{fields['settled']} generations were settled from their images,"
            f" {fields['expired']} expired free of charge, {fields['left']} go on."
            f" {fields['sessions']} sessions ended; automatic top-ups of {fields['paused']}"
            f" organizations pause.{ledger}"
        )
        for finding in fields["findings"]:
            self.stdout.write(finding)
        for generation in fields["unsettled"]:
            self.stdout.write(f"Not settled: {generation}")
        if fields["unsettled"]:
            self.stdout.write(
                f"{len(fields['unsettled'])} generations raised an error and are still open. Put"
                " right what is named, then run `restore --finish` again, before the product"
                " starts: it ends them free of charge at their deadline, in five minutes at most,"
                " and deletes images of theirs that are stored."
            )

    def _finish(self) -> dict[str, Any]:
        try:
            resumed = resume(now=now())
        except StorageError as error:
            raise CommandError(
                f"The image storage cannot be read ({error}). The database is restored; run"
                " `restore --finish` when it can, and start the product only afterwards."
            ) from error
        findings = verify_money(now=now())
        note_restore(resumed=resumed, violations=len(findings), now=now())
        return {
            **asdict(resumed),
            "violations": len(findings),
            "findings": [f"{f.check}: {f.table} {f.row_id}: {f.message}" for f in findings],
        }
