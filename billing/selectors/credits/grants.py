"""Grants of promotional credit: what an organization has of them, and what finance looks at."""

from dataclasses import dataclass
from datetime import datetime
from typing import Final
from uuid import UUID

from django.db.models import F, QuerySet

from billing.models import Grant

Status = Grant.Status
DECIDED: Final = (Status.GRANTED, Status.REJECTED)


@dataclass(frozen=True, slots=True)
class GrantView:
    """A grant. Amounts are micros of `currency`.

    Attributes:
        unspent_micros: What may still be set aside, or has to expire.
        requested_by: Who asked, by e-mail address; `decided_by` likewise. Empty where nobody did.
    """

    id: UUID
    organization_id: UUID
    organization_name: str
    currency: str
    amount_micros: int
    unspent_micros: int
    held_micros: int
    captured_micros: int
    expired_micros: int
    expires_at: datetime
    reason: str
    status: str
    requested_by_id: UUID | None
    requested_by: str
    decided_by: str
    created_at: datetime
    decided_at: datetime | None

    @property
    def is_pending(self) -> bool:
        """Say whether somebody has to decide about it."""
        return self.status == Status.PENDING

    @property
    def is_withdrawn(self) -> bool:
        """Say whether who asked for it took it back."""
        return self.status == Status.REJECTED and not self.decided_by


@dataclass(frozen=True, slots=True)
class GrantPage:
    """Some grants, newest first; `more` says whether there are older ones."""

    grants: list[GrantView]
    more: bool


def list_own_grants(*, organization_id: UUID, now: datetime) -> list[GrantView]:
    """Return the grants that an organization may still spend of, the first to expire first.

    One query. In this order they are spent.
    """
    spent = F("held_micros") + F("captured_micros") + F("expired_micros")
    rows = _rows().filter(
        organization_id=organization_id,
        currency=F("organization__currency"),
        status=Status.GRANTED,
        expires_at__gt=now,
        amount_micros__gt=spent,
    )
    return [_view(row) for row in rows.order_by("expires_at", "id")]


def list_grants(*, limit: int, before: datetime | None = None) -> GrantPage:
    """Return grants of all organizations that are decided, newest first. One query."""
    rows = _rows().filter(status__in=DECIDED)
    if before is not None:
        rows = rows.filter(created_at__lt=before)
    found = [_view(row) for row in rows.order_by("-created_at", "id")[: limit + 1]]
    return GrantPage(found[:limit], len(found) > limit)


def list_grants_to_approve(*, limit: int) -> list[GrantView]:
    """Return what waits for a second person, oldest first. One query."""
    rows = _rows().filter(status=Status.PENDING)
    return [_view(row) for row in rows.order_by("created_at", "id")[:limit]]


def find_grant(*, grant_id: UUID) -> GrantView | None:
    """Return a grant, whoever's it is. One query."""
    row = _rows().filter(id=grant_id).first()
    return None if row is None else _view(row)


def _rows() -> QuerySet[Grant]:
    return Grant.objects.select_related("organization", "requested_by", "decided_by")


def _view(row: Grant) -> GrantView:
    return GrantView(
        id=row.id,
        organization_id=row.organization_id,
        organization_name=row.organization.name,
        currency=row.currency,
        amount_micros=row.amount_micros,
        unspent_micros=row.unspent_micros,
        held_micros=row.held_micros,
        captured_micros=row.captured_micros,
        expired_micros=row.expired_micros,
        expires_at=row.expires_at,
        reason=row.reason,
        status=row.status,
        requested_by_id=row.requested_by_id,
        requested_by="" if row.requested_by is None else row.requested_by.email,
        decided_by="" if row.decided_by is None else row.decided_by.email,
        created_at=row.created_at,
        decided_at=row.decided_at,
    )
