"""Read holds."""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from django.db.models import Count, Sum

from billing.models import EntryKind, Hold, HoldStatus, JournalEntry
from billing.types import Captured, HoldView


def find_hold(*, reference: str) -> HoldView | None:
    """Return the hold of a generation, if it has one."""
    hold = Hold.objects.filter(reference=reference).first()
    return None if hold is None else _view(hold)


def open_holds(
    *, organization_id: UUID | None = None, overdue_at: datetime | None = None
) -> list[HoldView]:
    """Return the authorized holds, those due first, optionally only those past their deadline."""
    holds = Hold.objects.filter(status=HoldStatus.AUTHORIZED)
    if organization_id is not None:
        holds = holds.filter(organization_id=organization_id)
    if overdue_at is not None:
        holds = holds.filter(deadline_at__lt=overdue_at)
    return [_view(hold) for hold in holds.order_by("deadline_at", "id")]


@dataclass(frozen=True, slots=True)
class OpenHolds:
    """What an organization has set aside; `more` counts what is not among `holds`."""

    holds: list[HoldView]
    more: int
    more_micros: int


def first_open_holds(*, organization_id: UUID, most: int) -> OpenHolds:
    """Return the authorized holds due first, at most so many, and a sum of the others.

    Two statements: a hold that ends between them is left out of the sum.
    """
    rows = Hold.objects.filter(status=HoldStatus.AUTHORIZED, organization_id=organization_id)
    holds = [_view(hold) for hold in rows.order_by("deadline_at", "id")[: most + 1]]
    if len(holds) <= most:
        return OpenHolds(holds, 0, 0)
    shown = holds[:most]
    total = rows.aggregate(count=Count("id"), micros=Sum("amount_micros"))
    shown_micros = sum(hold.amount_micros for hold in shown)
    more_micros = max(0, (total["micros"] or 0) - shown_micros)
    return OpenHolds(shown, max(0, total["count"] - most), more_micros)


def find_capture(*, reference: str) -> Captured | None:
    """Return what a generation was charged, if its hold was captured."""
    hold = Hold.objects.filter(reference=reference, status=HoldStatus.CAPTURED).first()
    entry_id = (
        JournalEntry.objects.filter(reference=reference, kind=EntryKind.CAPTURE)
        .values_list("id", flat=True)
        .first()
    )
    if hold is None or entry_id is None:
        return None
    return Captured(
        entry_id=entry_id,
        reference=reference,
        amount_micros=hold.captured_micros,
        released_micros=hold.amount_micros - hold.captured_micros,
        unit_micros=hold.unit_micros,
        count=hold.captured_count,
        currency=hold.currency,
    )


def _view(hold: Hold) -> HoldView:
    return HoldView(
        id=hold.id,
        reference=hold.reference,
        organization_id=hold.organization_id,
        status=hold.status,
        amount_micros=hold.amount_micros,
        unit_micros=hold.unit_micros,
        count=hold.count,
        captured_micros=hold.captured_micros,
        captured_count=hold.captured_count,
        currency=hold.currency,
        deadline_at=hold.deadline_at,
    )
