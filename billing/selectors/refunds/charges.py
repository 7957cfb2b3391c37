"""What the images of a generation were charged, line by line, and what was given back of it."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from billing.models import (
    Direction,
    EntryKind,
    Hold,
    HoldStatus,
    JournalEntry,
    Posting,
    RefundedImage,
)
from billing.types import AccountRef, Line


@dataclass(frozen=True, slots=True)
class ChargedImage:
    """One image that was charged.

    Attributes:
        artifact: Its text id.
        position: Among the images charged with it, from 1.
        amount_micros: What its organization paid for it, from whichever accounts.
        lines: Of its capture.
        refund_id: Of the refund that it is in, if one is asked for or approved.
        refund_status: `pending` or `approved`; empty without a refund.
    """

    artifact: str
    position: int
    amount_micros: int
    lines: tuple[Line, ...]
    refund_id: UUID | None = None
    refund_status: str = ""


@dataclass(frozen=True, slots=True)
class Charge:
    """What a generation was charged, without what was asked for: no prompt and no image."""

    reference: str
    organization_id: UUID
    organization_name: str
    entry_id: UUID
    captured_at: datetime
    model: str
    size: str
    quality: str
    currency: str
    amount_micros: int
    images: tuple[ChargedImage, ...]

    @property
    def refundable(self) -> tuple[ChargedImage, ...]:
        """Return the images that are in no refund."""
        return tuple(one for one in self.images if not one.refund_status)


def find_charge(*, reference: str) -> Charge | None:
    """Return what a generation was charged, if it was. Four queries."""
    hold = (
        Hold.objects.select_related("organization", "price_version")
        .filter(reference=reference, status=HoldStatus.CAPTURED)
        .first()
    )
    entry = JournalEntry.objects.filter(kind=EntryKind.CAPTURE, reference=reference).first()
    if hold is None or entry is None:
        return None
    by_artifact: dict[str, list[Line]] = {}
    postings = Posting.objects.filter(entry=entry).select_related("account").order_by("line")
    for posting in postings:
        by_artifact.setdefault(posting.reference, []).append(_line(posting))
    return Charge(
        reference=reference,
        organization_id=hold.organization_id,
        organization_name=hold.organization.name,
        entry_id=entry.id,
        captured_at=entry.effective_at,
        model=hold.price_version.model_key,
        size=hold.price_version.size,
        quality=hold.price_version.quality,
        currency=hold.currency,
        amount_micros=hold.captured_micros,
        images=tuple(_images(by_artifact)),
    )


def _images(by_artifact: Mapping[str, list[Line]]) -> list[ChargedImage]:
    rows = RefundedImage.objects.filter(artifact__in=by_artifact, is_dropped=False)
    refunds = {
        artifact: (refund_id, status)
        for artifact, refund_id, status in rows.values_list(
            "artifact", "refund_id", "refund__status"
        )
    }
    found = []
    for position, (artifact, lines) in enumerate(by_artifact.items(), start=1):
        refund_id, status = refunds.get(artifact, (None, ""))
        paid = sum(_paid(line) for line in lines)
        found.append(ChargedImage(artifact, position, paid, tuple(lines), refund_id, status))
    return found


def _line(posting: Posting) -> Line:
    account = posting.account
    ref = AccountRef(account.id, account.code, account.currency, account.organization_id)
    return Line(ref, posting.direction, posting.amount_micros, posting.reference)


def _paid(line: Line) -> int:
    if line.account.organization_id is None:
        return 0
    return line.amount_micros if line.direction == Direction.DEBIT else -line.amount_micros
