"""Reading credit notes."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from billing.models import CreditNote


@dataclass(frozen=True, slots=True)
class CreditNoteSummary:
    """One credit note of a list."""

    number: int
    reference: str
    amount_micros: int
    currency: str
    reason: str
    issued_at: datetime


@dataclass(frozen=True, slots=True)
class CreditNoteView:
    """A credit note: what it says (`billing.services.refunds.notes`), and its SHA-256."""

    content: Mapping[str, Any]
    digest: str


def list_credit_notes(
    *, organization_id: UUID, limit: int, reference: str = "", before: int | None = None
) -> list[CreditNoteSummary]:
    """Return an organization's credit notes, newest first. One query.

    Args:
        organization_id: Whose.
        limit: Most to return.
        reference: Of one generation alone.
        before: Only lower numbers.
    """
    rows = CreditNote.objects.filter(organization_id=organization_id).select_related("refund")
    if reference:
        rows = rows.filter(refund__reference=reference)
    if before is not None:
        rows = rows.filter(number__lt=min(before, 2**31 - 1))
    return [
        CreditNoteSummary(
            number=row.number,
            reference=row.refund.reference,
            amount_micros=row.amount_micros,
            currency=row.currency,
            reason=row.refund.reason,
            issued_at=row.issued_at,
        )
        for row in rows.defer("content").order_by("-number")[:limit]
    ]


def find_credit_note(*, organization_id: UUID, number: int) -> CreditNoteView | None:
    """Return an organization's credit note of a number, if that is its own. One query."""
    row = CreditNote.objects.filter(organization_id=organization_id, number=number).first()
    if row is None:
        return None
    return CreditNoteView(content=row.content, digest=bytes(row.digest).hex())
