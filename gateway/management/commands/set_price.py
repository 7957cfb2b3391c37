"""Set a model's list price by hand."""

from datetime import datetime
from typing import Any

from django.core.management.base import CommandParser

from billing.management.base import read_decimal
from billing.services.prices import OPERATOR_SOURCE
from core.commands import ServiceCommand
from gateway.errors import InvalidRequestError
from gateway.services.pricing import NewPrice, change_price
from orgs.services.audit import SYSTEM


class Command(ServiceCommand):
    help = "Set a model's list price per image from now or later on; holds that exist keep theirs."

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
        parser.add_argument("--source", default=OPERATOR_SOURCE, help="where it was read")
        parser.add_argument("--from", dest="begins", help="ISO 8601 with zone; now unless told")
        parser.add_argument("--accept-loss", action="store_true", help="even below our own cost")

    def run(self, *, options: dict[str, Any], at: datetime) -> tuple[str, dict[str, object]]:
        price = NewPrice(
            model=options["model"],
            amount=read_decimal(options["amount"], "price"),
            currency=options["currency"].upper(),
            size=options["size"],
            quality=options["quality"],
            source=options["source"],
            active_from=_instant(options["begins"]),
        )
        versions = change_price(
            price=price,
            accept_loss=options["accept_loss"],
            created_by="command",
            actor=SYSTEM,
            now=at,
        )
        cell = " ".join(filter(None, (price.model, price.size, price.quality)))
        begins = "now" if price.active_from is None else price.active_from.isoformat()
        amount = f"{price.currency} {price.amount:f}"
        return f"The list price of {cell} is {amount} from {begins} on.", {
            "ids": versions,
            "model": price.model,
            "size": price.size,
            "quality": price.quality,
            "amount": f"{price.amount:f}",
            "currency": price.currency,
            "active_from": (price.active_from or at).isoformat(),
        }


def _instant(text: str | None) -> datetime | None:
    """Read an instant.

    Raises:
        InvalidRequestError: It is none, or lacks its zone.
    """
    if text is None:
        return None
    try:
        instant = datetime.fromisoformat(text)
    except ValueError as error:
        raise InvalidRequestError(f"--from: {error}", param="from") from error
    if instant.tzinfo is None:
        raise InvalidRequestError("--from needs a zone, like 2027-01-01T00:00Z.", param="from")
    return instant
