"""Compare stored objects with the rows that name them."""

import json
from datetime import timedelta
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from gateway.services.keeping.errors import KeepingError
from gateway.services.keeping.objects import (
    BATCH,
    Missing,
    Orphan,
    compare_objects,
    delete_orphans,
)
from gateway.storage import StorageError


class Command(BaseCommand):
    help = (
        "List artifacts whose object is missing, and objects that nothing names; exit 1 if there is"
        " any. Bytes are not read: that is verify_ledger --objects."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument(
            "--older-than",
            type=int,
            default=24,
            metavar="HOURS",
            help="younger objects are no orphans (24)",
        )
        parser.add_argument(
            "--delete-orphans", action="store_true", help="delete what nothing names, for good"
        )
        parser.add_argument("--json", action="store_true", help="print one JSON object a line")

    def handle(self, *_args: object, **options: Any) -> None:
        counts = {"missing": 0, "orphans": 0, "orphan_bytes": 0, "deleted": 0}
        batch: list[Orphan] = []
        try:
            for found in compare_objects(older_than=timedelta(hours=options["older_than"])):
                self._print(found, is_json=options["json"])
                if isinstance(found, Missing):
                    counts["missing"] += 1
                    continue
                counts["orphans"] += 1
                counts["orphan_bytes"] += found.size_bytes
                if options["delete_orphans"]:
                    batch.append(found)
                if len(batch) == BATCH:
                    counts["deleted"] += delete_orphans(batch)
                    batch.clear()
            if batch:
                counts["deleted"] += delete_orphans(batch)
        except (KeepingError, StorageError) as error:
            raise CommandError(str(error)) from error
        self.stdout.write(
            json.dumps(counts)
            if options["json"]
            else f"{counts['missing']} artifacts without object, {counts['orphans']} objects"
            f" without row ({counts['orphan_bytes']} bytes), {counts['deleted']} deleted."
        )
        if counts["missing"] or counts["orphans"] > counts["deleted"]:
            raise SystemExit(1)

    def _print(self, found: Missing | Orphan, *, is_json: bool) -> None:
        if isinstance(found, Missing):
            fields = {"missing": found.key, "bucket": found.bucket, "artifact": found.artifact_id}
            line = f"missing {found.bucket}/{found.key} of artifact {found.artifact_id}"
        else:
            stored_at = found.stored_at.isoformat(timespec="seconds")
            fields = {"orphan": found.key, "bucket": found.bucket, "stored_at": stored_at}
            line = f"orphan {found.bucket}/{found.key} {found.size_bytes} bytes of {stored_at}"
        self.stdout.write(json.dumps(fields) if is_json else line)
