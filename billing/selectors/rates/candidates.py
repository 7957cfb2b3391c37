"""Rates that were kept aside."""

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from uuid import UUID

from billing.models import CandidateStatus, RateCandidate


@dataclass(frozen=True, slots=True)
class CandidateView:
    """A rate that waits for a decision; `change` is what it differs by, as a fraction."""

    id: int
    base: str
    quote: str
    rate: Decimal
    source: str
    as_of: datetime
    valid_until: datetime | None
    previous_rate: Decimal
    previous_as_of: datetime
    change: Decimal
    is_proposed: bool
    reason: str
    proposed_by: UUID | None
    proposed_by_label: str


def list_candidates(*, limit: int) -> list[CandidateView]:
    """Return the candidates that nobody has decided about, the newest first. One query."""
    rows = RateCandidate.objects.filter(
        status__in=(CandidateStatus.WAITING, CandidateStatus.PROPOSED)
    )
    return [_view(one) for one in rows.select_related("previous").order_by("-as_of", "-id")[:limit]]


def _view(one: RateCandidate) -> CandidateView:
    return CandidateView(
        id=one.id,
        base=one.base,
        quote=one.quote,
        rate=one.rate,
        source=one.source,
        as_of=one.as_of,
        valid_until=one.valid_until,
        previous_rate=one.previous.rate,
        previous_as_of=one.previous.as_of,
        change=round(one.rate / one.previous.rate - 1, 4),
        is_proposed=one.status == CandidateStatus.PROPOSED,
        reason=one.reason,
        proposed_by=one.proposed_by,
        proposed_by_label=one.proposed_by_label,
    )
