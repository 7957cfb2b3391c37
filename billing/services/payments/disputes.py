"""Payments that the holder of a card contests."""

from datetime import datetime
from typing import Final

from django.db import transaction

from billing.models import AccountCode, Direction, Dispute, EntryKind, Invoice, Payment
from billing.services.accounts import account
from billing.services.invoices.issuing import Booked, issue_invoice
from billing.services.ledger import post_entry
from billing.services.payments.amounts import from_minor
from billing.services.payments.settling import EventMark, mark_event
from billing.services.payments.stripe_api import DisputeFacts
from billing.services.taxes.shares import share_of_tax
from billing.services.topups import credit_lines, debit_lines
from billing.services.transactions import retrying
from billing.types import Line
from orgs.models import Organization, lock_organization
from orgs.services.audit import SYSTEM
from orgs.services.lifecycle import resume, suspend

Status = Dispute.Status
# What the bank asks before a dispute; no money is taken (docs.stripe.com/disputes, read 2026-11).
_INQUIRY: Final = "warning_"
_REASON: Final = "A payment of this organization is disputed."


def settle_dispute(facts: DisputeFacts, *, now: datetime, mark: EventMark | None = None) -> None:
    """Book a dispute as it is now: its money taken, and given back if it is won. One transaction.

    The wallet gives what is available, the rest is owed, tax goes back in proportion, and the
    organization is suspended until the dispute is won or the platform's staff resume it. A dispute
    of money that is not credited changes nothing here.
    """

    def work() -> None:
        with transaction.atomic():
            payment = (
                Payment.objects.select_for_update()
                .filter(reference=facts.intent_id, status=Payment.Status.SUCCEEDED)
                .first()
            )
            if not mark_event(mark, payment=payment, now=now):
                return
            if payment is None or facts.status.startswith(_INQUIRY):
                return
            # Before the balances, as a top-up locks them.
            lock_organization(payment.organization_id)
            dispute = Dispute.objects.filter(dispute_id=facts.id).first()
            if dispute is None:
                dispute = _open(payment, facts, now)
            if dispute.status == Status.OPEN and facts.status in {Status.WON, Status.LOST}:
                _close(dispute, payment, facts.status, now)

    retrying(work)


def _open(payment: Payment, facts: DisputeFacts, now: datetime) -> Dispute:
    micros = from_minor(facts.amount, payment.currency)
    tax = share_of_tax(payment, micros)
    taken = debit_lines(
        organization_id=payment.organization_id,
        currency=payment.currency,
        micros=micros - tax,
        tax_micros=tax,
    )
    clearing = account(AccountCode.PAYMENT_CLEARING, payment.currency)
    entry_key = f"dispute:{facts.id}"
    post_entry(
        kind=EntryKind.DISPUTE,
        idempotency_key=entry_key,
        lines=[*taken, Line(clearing, Direction.CREDIT, micros)],
        now=now,
        reference=payment.reference,
        description="Payment disputed",
    )
    issue_invoice(
        payment,
        Booked(entry_key, "dispute", micros, tax, corrects_key=f"top_up:payment:{payment.id}"),
        kind=Invoice.Kind.CORRECTION,
        now=now,
    )
    organization = Organization.objects.get(id=payment.organization_id)
    if organization.suspended_at is None:
        suspend(organization_id=organization.id, reason=_REASON, actor=SYSTEM, now=now)
    return Dispute.objects.create(
        dispute_id=facts.id,
        payment=payment,
        amount_micros=micros,
        tax_micros=tax,
        reason=facts.reason[:64],
        opened_at=now,
    )


def _close(dispute: Dispute, payment: Payment, status: str, now: datetime) -> None:
    dispute.status, dispute.closed_at = status, now
    dispute.save(update_fields=["status", "closed_at"])
    if status == Status.LOST:
        return
    clearing = account(AccountCode.PAYMENT_CLEARING, payment.currency)
    given = credit_lines(
        organization_id=payment.organization_id,
        currency=payment.currency,
        micros=dispute.amount_micros - dispute.tax_micros,
        tax_micros=dispute.tax_micros,
    )
    entry_key = f"dispute_won:{dispute.dispute_id}"
    post_entry(
        kind=EntryKind.DISPUTE,
        idempotency_key=entry_key,
        lines=[Line(clearing, Direction.DEBIT, dispute.amount_micros), *given],
        now=now,
        reference=payment.reference,
        description="Dispute won",
    )
    booked = Booked(
        entry_key,
        "dispute_won",
        dispute.amount_micros,
        dispute.tax_micros,
        corrects_key=f"dispute:{dispute.dispute_id}",
    )
    issue_invoice(payment, booked, kind=Invoice.Kind.INVOICE, now=now)
    _resume(payment)


def _resume(payment: Payment) -> None:
    """End the suspension that a dispute brought, unless there is another or staff suspended it."""
    others = Dispute.objects.filter(payment__organization_id=payment.organization_id).exclude(
        status=Status.WON
    )
    organization: Organization | None = lock_organization(payment.organization_id)
    is_ours = organization is not None and organization.suspension_reason == _REASON
    if is_ours and not others.exists():
        resume(organization_id=payment.organization_id, reason="Dispute won.", actor=SYSTEM)
