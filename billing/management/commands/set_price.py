"""Set a price by hand."""

from datetime import datetime
from typing import Any

from django.core.management.base import CommandParser

from billing.management.base import MoneyCommand, read_decimal
from billing.models import PriceKind, PriceUnit
from billing.services.accounts import PLATFORM_CURRENCY
from billing.services.prices import set_price


class Command(MoneyCommand):
    help = "Set a model's price from now on; holds that exist keep theirs."

    def add_money_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("model")
        parser.add_argument("amount", help="decimal number, like 0.040")
        parser.add_argument("--size", default="", help="like 1024x1024; any size unless told")
        parser.add_argument("--quality", default="", help="any quality unless told")
        parser.add_argument("--currency", default=PLATFORM_CURRENCY)
        parser.add_argument("--kind", default=PriceKind.LIST.value, choices=PriceKind.values)
        parser.add_argument("--unit", default=PriceUnit.IMAGE.value, choices=PriceUnit.values)
        parser.add_argument("--route", default="", help="for cost prices")
        parser.add_argument(
            "--book",
            help="price book; list prices in another currency than USD go to a book of that"
            " currency, charged without markup",
        )

    def run(self, *, options: dict[str, Any], at: datetime) -> tuple[str, dict[str, object]]:
        amount = read_decimal(options["amount"], "price")
        currency = options["currency"].upper()
        version_id = set_price(
            model_key=options["model"],
            amount=amount,
            now=at,
            currency=currency,
            size=options["size"],
            quality=options["quality"],
            unit=options["unit"],
            kind=options["kind"],
            route=options["route"],
            price_book=options["book"],
            created_by="command",
        )
        what = " ".join(filter(None, (options["model"], options["size"], options["quality"])))
        sentence = f"The {options['kind']} price of {what} is {currency} {amount:f} from now on."
        return sentence, {
            "id": version_id,
            "model": options["model"],
            "kind": options["kind"],
            "size": options["size"],
            "quality": options["quality"],
            "unit": options["unit"],
            "amount": f"{amount:f}",
            "currency": currency,
            "active_from": at.isoformat(),
        }
