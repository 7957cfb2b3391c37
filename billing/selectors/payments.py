"""Read payments, saved cards and the terms of automatic top-ups."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from types import MappingProxyType
from typing import Final
from uuid import UUID

from django.db.models import Exists, OuterRef, Q, QuerySet

from billing.models import (
    AccountCode,
    AutoTopUp,
    Direction,
    Dispute,
    Payment,
    PaymentRefund,
    Posting,
    SavedCard,
    UnmatchedPayment,
)
from billing.selectors.taxes.terms import TaxTerms


@dataclass(frozen=True, slots=True)
class PaymentView:
    """A payment as people see it.

    `state` is the row's status, or what became of a succeeded one: `refunded`,
    `partly_refunded`, `disputed`, `dispute_lost`.
    """

    id: UUID
    organization_id: UUID
    organization_name: str
    kind: str
    state: str
    gross_micros: int
    net_micros: int
    tax_micros: int
    tax: TaxTerms
    refunded_micros: int
    currency: str
    is_sandbox: bool
    reference: str
    note: str
    failure_code: str
    card: str
    requested_by: str
    requested_by_id: UUID | None
    decided_by: str
    received_at: datetime | None
    created_at: datetime
    ended_at: datetime | None

    @property
    def is_pending(self) -> bool:
        """Whether it may still come to something."""
        return self.state == Payment.Status.PENDING

    @property
    def has_receipt(self) -> bool:
        """Whether money came."""
        return self.received_at is not None and self.state not in {"pending", "failed", "canceled"}


@dataclass(frozen=True, slots=True)
class PaymentPage:
    """Some payments, newest first; `more` says whether there are older ones."""

    payments: tuple[PaymentView, ...]
    more: bool


@dataclass(frozen=True, slots=True)
class PaymentHistory:
    """What was booked of a payment, its refunds and disputes.

    `wallet_micros` came into the wallet, `owed_micros` paid what was owed.
    """

    entry_id: UUID | None
    wallet_micros: int
    owed_micros: int
    refunds: tuple[PaymentRefund, ...]
    disputes: tuple[Dispute, ...]


def find_payment(*, payment_id: UUID, organization_id: UUID | None = None) -> PaymentView | None:
    """Return a payment, of one organization or of any. One query."""
    rows = _rows().filter(id=payment_id)
    if organization_id is not None:
        rows = rows.filter(organization_id=organization_id)
    found = rows.first()
    return None if found is None else _view(found)


def get_history(payment_id: UUID) -> PaymentHistory:
    """Return what became of a payment. Three queries."""
    rows = Posting.objects.filter(
        entry__idempotency_key=f"top_up:payment:{payment_id}", direction=Direction.CREDIT
    ).values_list("entry_id", "account__code", "amount_micros")
    credited = {code: micros for _, code, micros in rows}
    return PaymentHistory(
        entry_id=next((entry_id for entry_id, _, _ in rows), None),
        wallet_micros=credited.get(AccountCode.WALLET, 0),
        owed_micros=credited.get(AccountCode.RECEIVABLE, 0),
        refunds=tuple(PaymentRefund.objects.filter(payment_id=payment_id).order_by("created_at")),
        disputes=tuple(Dispute.objects.filter(payment_id=payment_id).order_by("opened_at")),
    )


def list_payments(
    *,
    limit: int,
    before: datetime | None = None,
    organization_id: UUID | None = None,
    show: str = "",
) -> PaymentPage:
    """Return payments, newest first. One query.

    Args:
        limit: Most to return.
        before: Only those created earlier: the last one's of the page before.
        organization_id: Whose; None of all.
        show: `pending`, `succeeded`, `failed`, `transfer`, `automatic` or `disputed`; else all.
    """
    rows = _rows()
    if organization_id is not None:
        rows = rows.filter(organization_id=organization_id)
    if before is not None:
        rows = rows.filter(created_at__lt=before)
    if show in _FILTERS:
        rows = rows.filter(_FILTERS[show])
    found = list(rows.order_by("-created_at", "id")[: limit + 1])
    return PaymentPage(tuple(map(_view, found[:limit])), more=len(found) > limit)


def list_to_approve(*, limit: int) -> tuple[PaymentView, ...]:
    """Return what waits for a second person of finance, oldest first. One query."""
    kinds = (Payment.Kind.TRANSFER, Payment.Kind.ASSIGNED)
    rows = _rows().filter(status=Payment.Status.PENDING, kind__in=kinds)
    return tuple(map(_view, rows.order_by("created_at")[:limit]))


def list_unmatched(*, limit: int) -> tuple[UnmatchedPayment, ...]:
    """Return unmatched money that is not resolved, oldest first. One query."""
    rows = UnmatchedPayment.objects.exclude(status=UnmatchedPayment.Status.RESOLVED)
    return tuple(rows.order_by("created_at")[:limit])


def find_unmatched(*, reference: str) -> UnmatchedPayment | None:
    """Return unmatched money by its reference."""
    if "\x00" in reference:
        return None  # PostgreSQL has no text with it.
    return UnmatchedPayment.objects.filter(reference=reference).first()


def list_cards(*, organization_id: UUID) -> tuple[SavedCard, ...]:
    """Return the cards that an organization has saved, newest first. One query."""
    rows = SavedCard.objects.filter(organization_id=organization_id, removed_at=None)
    return tuple(rows.order_by("-created_at"))


def find_auto_top_up(*, organization_id: UUID) -> AutoTopUp | None:
    """Return the terms of automatic top-ups with their card. One query."""
    rows = AutoTopUp.objects.select_related("card")
    return rows.filter(organization_id=organization_id).first()


_FILTERS: Final[Mapping[str, Q]] = MappingProxyType(
    {
        "pending": Q(status=Payment.Status.PENDING),
        "succeeded": Q(status=Payment.Status.SUCCEEDED),
        "failed": Q(status__in=(Payment.Status.FAILED, Payment.Status.CANCELED)),
        "transfer": Q(kind=Payment.Kind.TRANSFER),
        "automatic": Q(kind=Payment.Kind.AUTOMATIC),
        "disputed": Q(is_disputed=True) | Q(is_lost=True),
    }
)


def _rows() -> QuerySet[Payment]:
    disputes = Dispute.objects.filter(payment=OuterRef("id"))
    return Payment.objects.select_related("organization", "requested_by", "decided_by").annotate(
        is_disputed=Exists(disputes.filter(status=Dispute.Status.OPEN)),
        is_lost=Exists(disputes.filter(status=Dispute.Status.LOST)),
    )


def _state(row: Payment) -> str:
    if row.status != Payment.Status.SUCCEEDED:
        return row.status
    if getattr(row, "is_disputed", False):
        return "disputed"
    if getattr(row, "is_lost", False):
        return "dispute_lost"
    if row.refunded_micros:
        is_whole = row.refunded_micros == row.gross_micros
        return "refunded" if is_whole else "partly_refunded"
    return row.status


def _view(row: Payment) -> PaymentView:
    return PaymentView(
        id=row.id,
        organization_id=row.organization_id,
        organization_name=row.organization.name,
        kind=row.kind,
        state=_state(row),
        gross_micros=row.gross_micros,
        net_micros=row.net_micros,
        tax_micros=row.tax_micros,
        tax=TaxTerms(row.tax_basis, row.tax_country, row.tax_name, row.tax_rate, row.tax_reason),
        refunded_micros=row.refunded_micros,
        currency=row.currency,
        is_sandbox=row.is_sandbox,
        reference=row.reference,
        note=row.note,
        failure_code=row.failure_code,
        card=f"{row.card_brand} {row.card_last4}".strip(),
        requested_by=row.requested_by.email if row.requested_by else "",
        requested_by_id=row.requested_by_id,
        decided_by=row.decided_by.email if row.decided_by else "",
        received_at=row.received_at,
        created_at=row.created_at,
        ended_at=row.ended_at,
    )
