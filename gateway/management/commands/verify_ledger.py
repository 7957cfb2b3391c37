"""Verify all invariants of the ledger."""

import json
from typing import Any

from django.core.management.base import BaseCommand, CommandParser

from billing.management.base import find_organization
from core.clock import now
from gateway.services.verification import verify_money, verify_objects


class Command(BaseCommand):
    help = "Recompute the ledger and compare it with images and attempts; exit 1 on any violation."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--organization", metavar="ORG_ID")
        parser.add_argument("--objects", action="store_true", help="also read every stored image")
        parser.add_argument("--json", action="store_true", help="print one JSON object")

    def handle(self, *_args: object, **options: Any) -> None:
        text = options["organization"]
        organization_id = find_organization(text).id if text else None
        findings = verify_money(now=now(), organization_id=organization_id)
        if options["objects"]:
            findings += verify_objects(organization_id=organization_id)
        if options["json"]:
            rows = [
                {"check": f.check, "table": f.table, "id": f.row_id, "message": f.message}
                for f in findings
            ]
            self.stdout.write(json.dumps({"violations": len(rows), "findings": rows}))
        else:
            for finding in findings:
                self.stdout.write(
                    f"{finding.check}: {finding.table} {finding.row_id}: {finding.message}"
                )
            self.stdout.write(
                f"{len(findings)} violations." if findings else "The ledger is sound: 0 violations."
            )
        if findings:
            raise SystemExit(1)
