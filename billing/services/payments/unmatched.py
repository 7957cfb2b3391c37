"""Money that arrived and fits no payment: kept apart until finance says what becomes of it."""

from datetime import datetime
from typing import Final
from uuid import UUID

from django.db import transaction

from billing.currencies import MINOR_DIGITS
from billing.errors import CurrencyMismatchError, PaymentClosedError, PaymentNotFoundError
from billing.models import (
    AccountCode,
    Direction,
    EntryKind,
    Payment,
    UnmatchedPayment,
)
from billing.services.accounts import account, open_platform_accounts
from billing.services.ledger import post_entry
from billing.services.payments.amounts import from_minor
from billing.services.payments.staff import require_finance
from billing.services.payments.stripe_api import IntentFacts, is_sandbox
from billing.services.taxes.amounts import split_tax
from billing.types import Line
from core.ids import new_uuid
from orgs.errors import InvalidInputError, OrganizationNotFoundError
from orgs.models import lock_organization
from orgs.services.audit import Action, Actor, Target, record

Status = UnmatchedPayment.Status
_BACK: Final = ("succeeded", "pending")


def hold_aside(intent: IntentFacts, *, reason: str, now: datetime) -> None:
    """Keep money of an intent apart, once: debit `payment_clearing`, credit `suspense`.

    Joins the caller's transaction. An amount in a currency that we do not know is not booked.
    """
    is_known = intent.currency in MINOR_DIGITS
    amount = from_minor(intent.received, intent.currency) if is_known else intent.received
    _, is_new = UnmatchedPayment.objects.get_or_create(
        reference=intent.id,
        defaults={
            "amount_micros": amount,
            "currency": intent.currency[:3],
            "reason": reason,
            "claim": str(intent.organization_id or ""),
            "is_booked": is_known and amount > 0,
            "created_at": now,
        },
    )
    if is_new and is_known and amount > 0:
        open_platform_accounts(currency=intent.currency)
        _book(
            f"unmatched:{intent.id}",
            (AccountCode.PAYMENT_CLEARING, AccountCode.SUSPENSE),
            (amount, intent.currency),
            intent.id,
            now,
        )


def close_refunded(intent: IntentFacts, *, now: datetime) -> None:
    """Resolve what was paid back in full at the payment provider. Joins the transaction."""
    row = _locked(intent.id)
    back = sum(one.amount for one in intent.refunds if one.status in _BACK)
    if row is not None and row.status == Status.OPEN and back >= intent.received:
        _release(row, note="Paid back at the payment provider.", now=now)


def dismiss_unmatched(*, reference: str, note: str, actor: Actor, now: datetime) -> None:
    """Say that unmatched money was paid back by other means.

    Raises:
        PermissionDeniedError: The actor is not of finance.
        PaymentNotFoundError: There is none of this reference.
        PaymentClosedError: It is resolved, or being assigned.
        InvalidInputError: No note says how.
    """
    require_finance(actor)
    with transaction.atomic():
        row = _open_row(reference)
        _release(row, note=_note(note), now=now, user_id=actor.user_id)
        _log(row, actor, {"resolution": "paid_back", "note": row.note})


def assign_unmatched(
    *, reference: str, organization_id: UUID, note: str, actor: Actor, now: datetime
) -> Payment:
    """Ask for unmatched money to be credited to an organization; another person approves.

    What of it is tax is decided here, by the organization's terms of the day it came.

    Raises:
        PermissionDeniedError: The actor is not of finance.
        PaymentNotFoundError: There is none of this reference.
        OrganizationNotFoundError: There is no such organization.
        PaymentClosedError: It is resolved, or being assigned.
        CurrencyMismatchError: It came in another currency than the wallet's.
        InvalidInputError: No note says why, or it was never booked.
    """
    require_finance(actor)
    with transaction.atomic():
        row = _open_row(reference)
        if not row.is_booked:
            raise InvalidInputError("Its currency is not one of ours.", param="organization")
        organization = lock_organization(organization_id)
        if organization is None:
            raise OrganizationNotFoundError(f"There is no organization {organization_id}.")
        if organization.currency != row.currency:
            raise CurrencyMismatchError(f"The wallet is in {organization.currency}.")
        payment = Payment.objects.create(
            organization=organization,
            kind=Payment.Kind.ASSIGNED,
            **split_tax(organization, row.amount_micros, at=row.created_at).columns(),
            is_sandbox=is_sandbox(),
            reference=row.reference,
            note=_note(note),
            requested_by_id=actor.user_id,
            received_at=row.created_at,
            created_at=now,
        )
        row.status, row.payment, row.note = Status.ASSIGNING, payment, payment.note
        row.save(update_fields=["status", "payment", "note"])
        _log(row, actor, {"resolution": "assign", "payment": str(payment.id)})
    return payment


def end_assignment(payment: Payment, *, is_approved: bool, user_id: UUID, now: datetime) -> None:
    """Close or open again the unmatched money of a decided assignment. Joins the transaction."""
    row = _locked(payment.reference)
    if row is None:
        raise PaymentNotFoundError(f"There is no unmatched payment {payment.reference}.")
    if is_approved:
        row.status, row.resolved_at, row.resolved_by_id = Status.RESOLVED, now, user_id
    else:
        row.status, row.payment = Status.OPEN, None
    row.save(update_fields=["status", "resolved_at", "resolved_by", "payment"])


def _release(
    row: UnmatchedPayment, *, note: str, now: datetime, user_id: UUID | None = None
) -> None:
    if row.is_booked:
        _book(
            f"unmatched_returned:{row.reference}",
            (AccountCode.SUSPENSE, AccountCode.PAYMENT_CLEARING),
            (row.amount_micros, row.currency),
            row.reference,
            now,
        )
    row.status, row.note, row.resolved_at, row.resolved_by_id = (
        Status.RESOLVED,
        note,
        now,
        user_id,
    )
    row.save(update_fields=["status", "note", "resolved_at", "resolved_by"])


def _book(
    key: str,
    sides: tuple[AccountCode, AccountCode],
    amount: tuple[int, str],
    reference: str,
    now: datetime,
) -> None:
    micros, currency = amount
    post_entry(
        kind=EntryKind.ADJUSTMENT,
        idempotency_key=key,
        lines=[
            Line(account(sides[0], currency), Direction.DEBIT, micros),
            Line(account(sides[1], currency), Direction.CREDIT, micros),
        ],
        now=now,
        reference=reference,
        description="Unmatched payment",
    )


def _open_row(reference: str) -> UnmatchedPayment:
    row = _locked(reference)
    if row is None:
        raise PaymentNotFoundError(f"There is no unmatched payment {reference}.")
    if row.status != Status.OPEN:
        raise PaymentClosedError("This unmatched payment is resolved, or about to be.")
    return row


def _locked(reference: str) -> UnmatchedPayment | None:
    rows = UnmatchedPayment.objects.select_for_update(of=("self",))
    return rows.filter(reference=reference).first()


def _note(note: str) -> str:
    text = note.strip()[:500]
    if not text:
        raise InvalidInputError("Say why.", param="note")
    return text


def _log(row: UnmatchedPayment, actor: Actor, after: dict[str, object]) -> None:
    record(
        action=Action.PAYMENT_RESOLVED,
        actor=actor,
        organization_id=None,
        target=Target("payment", new_uuid(), row.reference),
        after={
            **after,
            "amount": f"{row.amount_micros} micros {row.currency}",
        },
    )
