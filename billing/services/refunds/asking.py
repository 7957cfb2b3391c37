"""Asking for a refund of images, and turning it down."""

from collections.abc import Collection
from datetime import datetime
from uuid import UUID

from django.db import IntegrityError, transaction

from billing.errors import AlreadyRefundedError, HoldNotFoundError, PaymentNotFoundError
from billing.models import Refund, RefundedImage
from billing.money import format_amount
from billing.selectors.refunds.charges import Charge, ChargedImage, find_charge
from billing.services.refunds.decisions import check_pending, read_reason, turn_down
from billing.services.staff import require_finance
from orgs.errors import InvalidInputError
from orgs.services.audit import Action, Actor, Target, record


def ask_refund(
    *,
    reference: str,
    artifacts: Collection[str] | None,
    reason: str,
    actor: Actor,
    now: datetime,
) -> Refund:
    """Ask for images of a generation to be refunded. Nothing is until another person approves.

    Args:
        reference: The generation's, as its hold has it.
        artifacts: Text ids of the images; None for all that are in no refund yet.
        reason: As the organization reads it on the credit note.
        actor: One of finance.
        now: When it is asked.

    Raises:
        PermissionDeniedError: The actor is not of finance.
        HoldNotFoundError: The generation was charged nothing.
        InvalidInputError: No image, an image of another generation, or no reason is given.
        AlreadyRefundedError: An image is in another refund.
    """
    asked_by_id = require_finance(actor)
    text = read_reason(reason)
    charge = find_charge(reference=reference)
    if charge is None:
        raise HoldNotFoundError("This request was charged nothing.")
    images = _choose(charge, artifacts)
    try:
        with transaction.atomic():
            refund = Refund.objects.create(
                organization_id=charge.organization_id,
                reference=reference,
                amount_micros=sum(one.amount_micros for one in images),
                currency=charge.currency,
                reason=text,
                requested_by_id=asked_by_id,
                created_at=now,
            )
            RefundedImage.objects.bulk_create(
                RefundedImage(
                    refund=refund,
                    artifact=one.artifact,
                    position=one.position,
                    amount_micros=one.amount_micros,
                )
                for one in images
            )
            log(Action.REFUND_REQUESTED, refund, actor, images=len(images))
    except IntegrityError as error:
        if "billing_refundedimage_once" not in str(error):
            raise
        raise AlreadyRefundedError(
            "An image of these is refunded, or asked for, already.", param="images"
        ) from error
    return refund


def _choose(charge: Charge, artifacts: Collection[str] | None) -> list[ChargedImage]:
    if artifacts is None:
        if not charge.refundable:
            raise AlreadyRefundedError("Every image of this request is refunded or asked for.")
        return list(charge.refundable)
    wanted = set(artifacts)
    images = [one for one in charge.images if one.artifact in wanted]
    if not wanted or len(images) < len(wanted):
        raise InvalidInputError("Choose images of this request.", param="images")
    return images


def decline_refund(*, refund_id: UUID, note: str, actor: Actor, now: datetime) -> Refund:
    """Turn a request down; who asked may withdraw it. Its images may be asked for again.

    Raises:
        PermissionDeniedError: The actor is not of finance.
        PaymentNotFoundError: There is no such request.
        PaymentClosedError: It was decided already.
    """
    require_finance(actor)
    with transaction.atomic():
        refund = lock_refund(refund_id)
        check_pending(refund)
        turn_down(refund, note=note, actor=actor, now=now)
        refund.images.update(is_dropped=True)
        log(Action.REFUND_DECLINED, refund, actor, status=refund.status)
    return refund


def lock_refund(refund_id: UUID) -> Refund:
    """Lock a request until the transaction ends.

    Raises:
        PaymentNotFoundError: There is none of this id.
    """
    refund = Refund.objects.select_for_update().filter(id=refund_id).first()
    if refund is None:
        raise PaymentNotFoundError(f"There is no refund {refund_id}.")
    return refund


def log(action: Action, refund: Refund, actor: Actor, **fields: object) -> None:
    """Write what happened to a refund into its organization's log."""
    amount = f"{format_amount(refund.amount_micros, refund.currency)} {refund.currency}"
    record(
        action=action,
        actor=actor,
        organization_id=refund.organization_id,
        target=Target("refund", refund.id, refund.reference),
        after={"amount": amount, "reason": refund.reason, **fields},
    )
