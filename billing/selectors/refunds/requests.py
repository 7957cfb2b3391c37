"""Reading refunds and adjustments: what waits for a second person, and what was decided."""

from dataclasses import dataclass
from datetime import datetime
from typing import Final
from uuid import UUID

from django.db.models import QuerySet

from billing.models import Adjustment, Decision, Refund

MOST: Final = 100


@dataclass(frozen=True, slots=True)
class RequestView:
    """A refund or an adjustment as people see it.

    Attributes:
        kind: `refund`, `credit` or `debit`.
        reference: Of a refund its generation's, else empty.
        images: Of a refund the positions and amounts of its images.
        note: Why it was turned down.
        credit_note: The number of an approved refund's.
    """

    id: UUID
    kind: str
    organization_id: UUID
    organization_name: str
    reference: str
    amount_micros: int
    currency: str
    reason: str
    status: str
    note: str
    requested_by: str
    requested_by_id: UUID
    decided_by: str
    created_at: datetime
    decided_at: datetime | None
    images: tuple[tuple[int, int], ...] = ()
    credit_note: int | None = None

    @property
    def is_pending(self) -> bool:
        """Whether it waits for a decision."""
        return self.status == Decision.PENDING


def list_waiting_requests() -> list[RequestView]:
    """Return what waits for a second person, oldest first; of each kind 100. Two queries."""
    refunds = _refunds().filter(status=Decision.PENDING).order_by("created_at")[:MOST]
    adjustments = _adjustments().filter(status=Decision.PENDING).order_by("created_at")[:MOST]
    found = [*map(_refund, refunds), *map(_adjustment, adjustments)]
    return sorted(found, key=lambda one: one.created_at)


def list_decided_requests(*, limit: int, before: datetime | None = None) -> list[RequestView]:
    """Return what was decided, the newest request first. Two queries.

    Args:
        limit: Most to return.
        before: Only those asked for earlier: the last one's of the page before.
    """
    refunds = _refunds().exclude(status=Decision.PENDING)
    adjustments = _adjustments().exclude(status=Decision.PENDING)
    if before is not None:
        refunds = refunds.filter(created_at__lt=before)
        adjustments = adjustments.filter(created_at__lt=before)
    found = [
        *map(_refund, refunds.order_by("-created_at")[:limit]),
        *map(_adjustment, adjustments.order_by("-created_at")[:limit]),
    ]
    return sorted(found, key=lambda one: one.created_at, reverse=True)[:limit]


def find_refund(*, refund_id: UUID) -> RequestView | None:
    """Return a refund with its images. Two queries."""
    row = _refunds().filter(id=refund_id).first()
    if row is None:
        return None
    images = row.images.order_by("position").values_list("position", "amount_micros")
    return _refund(row, images=tuple(images))


def find_adjustment(*, adjustment_id: UUID) -> RequestView | None:
    """Return an adjustment. One query."""
    row = _adjustments().filter(id=adjustment_id).first()
    return None if row is None else _adjustment(row)


def _refunds() -> QuerySet[Refund]:
    return Refund.objects.select_related(
        "organization", "requested_by", "decided_by", "credit_note"
    ).defer("credit_note__content")


def _adjustments() -> QuerySet[Adjustment]:
    return Adjustment.objects.select_related("organization", "requested_by", "decided_by")


def _refund(row: Refund, images: tuple[tuple[int, int], ...] = ()) -> RequestView:
    note = getattr(row, "credit_note", None)
    return _view(
        row,
        kind="refund",
        reference=row.reference,
        images=images,
        credit_note=note.number if note else None,
    )


def _adjustment(row: Adjustment) -> RequestView:
    return _view(row, kind=row.direction)


def _view(
    row: Refund | Adjustment,
    *,
    kind: str,
    reference: str = "",
    images: tuple[tuple[int, int], ...] = (),
    credit_note: int | None = None,
) -> RequestView:
    return RequestView(
        id=row.id,
        kind=kind,
        organization_id=row.organization_id,
        organization_name=row.organization.name,
        reference=reference,
        amount_micros=row.amount_micros,
        currency=row.currency,
        reason=row.reason,
        status=row.status,
        note=row.note,
        requested_by=row.requested_by.email,
        requested_by_id=row.requested_by_id,
        decided_by=row.decided_by.email if row.decided_by else "",
        created_at=row.created_at,
        decided_at=row.decided_at,
        images=images,
        credit_note=credit_note,
    )
