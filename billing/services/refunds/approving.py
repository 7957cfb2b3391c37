"""Approving a refund: the mirror of each image's charge, and the credit note."""

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from django.db import transaction

from billing.errors import LedgerCorruptError
from billing.models import AccountCode, CreditNote, Direction, EntryKind, Refund, RefundedImage
from billing.selectors.refunds.charges import Charge, ChargedImage, find_charge
from billing.services.credits.returning import give_back
from billing.services.ledger import lock_balances, post_entry
from billing.services.refunds.asking import lock_refund, log
from billing.services.refunds.decisions import approve, check_pending
from billing.services.refunds.notes import issue_credit_note
from billing.services.refunds.telling import tell_of_credit_note
from billing.services.staff import require_finance
from billing.services.transactions import retrying
from billing.types import Line
from orgs.services.audit import Action, Actor

REFUND_KEY_PREFIX = "refund:"


def approve_refund(*, refund_id: UUID, actor: Actor, now: datetime) -> CreditNote:
    """Give back what the images were charged, and issue the credit note. One transaction.

    An entry for each image, `refund:<artifact>`: its own capture lines with debit and credit
    exchanged, to the same accounts at the same amounts, whatever rates and prices are now. What
    promotional credit had paid can be spent again, or expires.
    Budgets are not given back: they limit what is captured in a month.

    Raises:
        PermissionDeniedError: The actor is not of finance.
        PaymentNotFoundError: There is no such request.
        PaymentClosedError: It was decided already.
        SelfApprovalError: The actor asked for it.
        LedgerCorruptError: The charge is not what was asked for, or an image was refunded before.
    """
    require_finance(actor)

    def work() -> CreditNote:
        with transaction.atomic():
            refund = lock_refund(refund_id)
            check_pending(refund)
            approve(refund, actor=actor, now=now)
            charge = find_charge(reference=refund.reference)
            if charge is None:
                raise LedgerCorruptError(f"'{refund.reference}' has no charge.")
            images = list(refund.images.order_by("position"))
            mirrors = {image.artifact: _mirror(image, charge) for image in images}
            _lock_and_give_back(refund, [line for lines in mirrors.values() for line in lines])
            for image in images:
                _book(refund, image, mirrors[image.artifact], now)
            note = issue_credit_note(refund, images, charge, now=now)
            log(Action.REFUND_APPROVED, refund, actor, credit_note=note.number)
            tell_of_credit_note(note, now=now)
        return note

    return retrying(work)


def mirror_of(charged: ChargedImage) -> list[Line]:
    """Return an image's capture lines with debit and credit exchanged."""
    return [
        Line(
            line.account,
            (Direction.CREDIT if line.direction == Direction.DEBIT else Direction.DEBIT).value,
            line.amount_micros,
            line.reference,
        )
        for line in charged.lines
    ]


def _mirror(image: RefundedImage, charge: Charge) -> list[Line]:
    charged = next((one for one in charge.images if one.artifact == image.artifact), None)
    if charged is None or charged.amount_micros != image.amount_micros:
        raise LedgerCorruptError(f"Image {image.artifact} was charged another amount.")
    return mirror_of(charged)


def _lock_and_give_back(refund: Refund, lines: Sequence[Line]) -> None:
    """Lock grants, then all balances, as holds do: images may be paid from several of them."""
    promo = sum(
        line.amount_micros for line in lines if line.account.code == AccountCode.WALLET_PROMO
    )
    if promo:
        give_back(reference=refund.reference, micros=promo)
    lock_balances(lines)


def _book(refund: Refund, image: RefundedImage, lines: Sequence[Line], now: datetime) -> None:
    entry = post_entry(
        kind=EntryKind.REVERSAL,
        idempotency_key=f"{REFUND_KEY_PREFIX}{image.artifact}",
        lines=lines,
        now=now,
        reference=refund.reference,
        description=f"Refund of image {image.position}",
    )
    if not entry.created:
        raise LedgerCorruptError(f"Image {image.artifact} was refunded before.")
