"""Encrypt all secrets by the first key."""

import json
from dataclasses import asdict
from typing import Any

from django.core.management.base import BaseCommand, CommandParser

from orgs.services.reencryption import reencrypt_secrets


class Command(BaseCommand):
    help = (
        "Encrypt by the first key what another has encrypted: secrets of webhooks and authenticator"
        " apps, waiting mail. May be stopped and repeated; exit 1 if something stays as it was."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--json", action="store_true", help="print one JSON object")

    def handle(self, *_args: object, **options: Any) -> None:
        kinds = reencrypt_secrets()
        if options["json"]:
            self.stdout.write(json.dumps({done.kind: asdict(done) for done in kinds}))
        for done in () if options["json"] else kinds:
            self.stdout.write(
                f"{done.kind}: {done.seen} seen, {done.changed} encrypted anew,"
                f" {done.changed_meanwhile} changed meanwhile, {len(done.unreadable)} unreadable."
            )
            for row_id in done.unreadable:
                self.stdout.write(f"  unreadable: {row_id}")
        if any(done.unreadable or done.changed_meanwhile for done in kinds):
            raise SystemExit(1)
