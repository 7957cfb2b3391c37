"""Make rollups, and sums of postings, anew from what they count."""

from typing import Any

from django.core.management.base import BaseCommand, CommandParser

from billing.management.base import find_organization
from billing.services.reports.account_days import rebuild_account_days
from billing.services.statements.drafts import forget_drafts
from gateway.services.reports.margin_days import rebuild_margin_days
from gateway.services.rollups import rebuild_rollups


class Command(BaseCommand):
    help = "Make rollups anew: of live generations, and without --organization of all postings."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--organization", metavar="ORG_ID")

    def handle(self, *_args: object, **options: Any) -> None:
        text = options["organization"]
        rebuild_rollups(organization_id=find_organization(text).id if text else None)
        if not text:
            rebuild_account_days()
            rebuild_margin_days()
            forget_drafts()
        self.stdout.write("The rollups are made anew.")
