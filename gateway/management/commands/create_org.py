"""Create an organization."""

from datetime import datetime
from typing import Any

from django.conf import settings
from django.core.management.base import CommandParser

from core.commands import ServiceCommand
from gateway.services.onboarding import open_organization
from orgs.services.api_keys import Rates


class Command(ServiceCommand):
    help = "Create an organization with its accounts. It has no limits unless given."

    def add_own_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("name")
        parser.add_argument("--currency", required=True, help="ISO 4217, e.g. MXN")
        parser.add_argument("--time-zone", default="UTC")
        parser.add_argument("--requests-per-minute", type=int, metavar="N")
        parser.add_argument("--images-per-minute", type=int, metavar="N")
        parser.add_argument(
            "--concurrent", type=int, metavar="N", help="most generations in flight"
        )
        demo = parser.add_mutually_exclusive_group()
        demo.add_argument(
            "--demo",
            action="store_true",
            default=None,
            help="let the sandbox serve providers without a key (default with `make run`)",
        )
        demo.add_argument("--no-demo", action="store_false", dest="demo")

    def run(self, *, options: dict[str, Any], at: datetime) -> tuple[str, dict[str, object]]:
        demo = options["demo"]
        if demo is None:
            demo = settings.EMBEDDED and settings.LIENZO_SANDBOX == "auto"
        organization = open_organization(
            name=options["name"],
            currency=options["currency"],
            time_zone=options["time_zone"],
            is_demo=demo,
            max_concurrent=options["concurrent"],
            rates=Rates(options["requests_per_minute"], options["images_per_minute"]),
        )
        fields: dict[str, object] = {
            "id": str(organization.id),
            "name": organization.name,
            "currency": organization.currency,
            "demo": organization.is_demo,
            "requests_per_minute": organization.requests_per_minute,
            "images_per_minute": organization.images_per_minute,
            "concurrent": organization.max_concurrent,
        }
        demo_mark = ", demo" if organization.is_demo else ""
        name = f"{organization.name}, {organization.currency}{demo_mark}"
        return f"Created organization {organization.id} ({name}).", fields
