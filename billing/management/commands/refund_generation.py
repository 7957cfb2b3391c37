"""Ask for a refund of images of a request, or approve what another person asked for."""

from datetime import datetime
from typing import Any
from uuid import UUID

from django.core.management.base import CommandError, CommandParser

from billing.money import format_amount
from billing.selectors.refunds.charges import find_charge
from billing.services.refunds.approving import approve_refund
from billing.services.refunds.asking import ask_refund
from core.commands import ServiceCommand
from core.ids import parse_request_id
from orgs.selectors.people import find_user_id
from orgs.services.audit import Actor, Kind


class Command(ServiceCommand):
    help = "Ask for a refund of images of a request, or approve what another person asked for."

    def add_own_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("id", help="a request's id (req_…); with --approve a refund's")
        parser.add_argument("--by", required=True, metavar="EMAIL", help="who of finance does this")
        parser.add_argument("--reason", default="", help="as the organization reads it")
        parser.add_argument("--images", help="numbers of the images, like 1,3; all unless told")
        parser.add_argument("--approve", action="store_true", help="approve the refund of this id")

    def run(self, *, options: dict[str, Any], at: datetime) -> tuple[str, dict[str, object]]:
        user_id = find_user_id(email=options["by"])
        if user_id is None:
            raise CommandError(f"Nobody has the address {options['by']}.")
        actor = Actor(kind=Kind.USER, id=user_id, label=options["by"])
        if options["approve"]:
            return self._approve(options["id"], actor, at)
        return self._ask(options, actor, at)

    def _ask(
        self, options: dict[str, Any], actor: Actor, at: datetime
    ) -> tuple[str, dict[str, object]]:
        found = parse_request_id(options["id"])
        reference = str(found or options["id"])
        refund = ask_refund(
            reference=reference,
            artifacts=self._artifacts(reference, options["images"]),
            reason=options["reason"],
            actor=actor,
            now=at,
        )
        amount = format_amount(refund.amount_micros, refund.currency)
        return (
            f"Asked for {refund.currency} {amount} back, refund {refund.id}: another person of"
            " finance approves it."
        ), {"id": str(refund.id), "amount": amount, "currency": refund.currency}

    def _approve(self, refund_id: str, actor: Actor, at: datetime) -> tuple[str, dict[str, object]]:
        try:
            note = approve_refund(refund_id=UUID(refund_id), actor=actor, now=at)
        except ValueError as error:
            raise CommandError(f"'{refund_id}' is not a refund's id.") from error
        amount = format_amount(note.amount_micros, note.currency)
        return f"Refunded {note.currency} {amount}; credit note no. {note.number}.", {
            "id": refund_id,
            "amount": amount,
            "currency": note.currency,
            "credit_note": note.number,
        }

    def _artifacts(self, reference: str, numbers: str | None) -> list[str] | None:
        charge = find_charge(reference=reference)
        if numbers is None or charge is None:
            return None
        wanted = set(numbers.split(","))
        found = [one.artifact for one in charge.images if str(one.position) in wanted]
        if len(found) < len(wanted):
            raise CommandError(f"The request was charged for images 1 to {len(charge.images)}.")
        return found
