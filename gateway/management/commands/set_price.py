"""Set a model's list price by hand."""

from datetime import datetime
from typing import Any

from django.core.management.base import CommandParser

from billing.management.base import read_decimal
from core.commands import ServiceCommand
from gateway.services.pricing import NewPrice, change_price
from orgs.services.audit import SYSTEM


class Command(ServiceCommand):
    help = "Set a model's list price per image from now on; holds that exist keep theirs."

    def add_own_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("model", help="any public id, e.g. fal/flux-1.1-pro")
        parser.add_argument("amount", help="decimal number, like 0.040")
        parser.add_argument("--size", default="", help="like 1024x1024; every size unless told")
        parser.add_argument("--quality", default="", help="every quality unless told")
        parser.add_argument(
            "--currency",
            default="USD",
            help="a price in another currency than USD is charged to wallets in that currency as"
            " it stands, without markup and exchange rate",
        )
        parser.add_argument("--accept-loss", action="store_true", help="even below our own cost")

    def run(self, *, options: dict[str, Any], at: datetime) -> tuple[str, dict[str, object]]:
        price = NewPrice(
            model=options["model"],
            amount=read_decimal(options["amount"], "price"),
            currency=options["currency"].upper(),
            size=options["size"],
            quality=options["quality"],
        )
        versions = change_price(
            price=price,
            accept_loss=options["accept_loss"],
            created_by="command",
            actor=SYSTEM,
            now=at,
        )
        cell = " ".join(filter(None, (price.model, price.size, price.quality)))
        sentence = f"The list price of {cell} is {price.currency} {price.amount:f} from now on."
        return sentence, {
            "ids": versions,
            "model": price.model,
            "size": price.size,
            "quality": price.quality,
            "amount": f"{price.amount:f}",
            "currency": price.currency,
            "active_from": at.isoformat(),
        }
