"""Payments that brought nothing."""

from datetime import datetime
from uuid import UUID

from django.conf import settings
from django.db import transaction

from billing.models import AutoTopUp, Payment
from billing.money import format_amount
from orgs.models import Membership, Organization
from orgs.permissions import Role
from orgs.services.mails import write_mail
from orgs.services.outbox import EventType, write_event


def end_payment(payment: Payment, *, status: str, code: str, now: datetime) -> None:
    """End a payment that brought nothing. Joins the caller's transaction, which locked it."""
    payment.status, payment.failure_code, payment.ended_at = status, code[:64], now
    payment.save(update_fields=["status", "failure_code", "ended_at"])


def fail_automatic(payment_id: UUID, code: str, *, now: datetime) -> None:
    """End an automatic payment, pause the terms, and tell the organization: all of it once.

    One transaction, or the caller's. Locks the payment, then the terms.
    """
    with transaction.atomic():
        row = Payment.objects.select_for_update(of=("self",)).get(id=payment_id)
        if row.status != Payment.Status.PENDING:
            return
        end_payment(row, status=Payment.Status.FAILED, code=code, now=now)
        AutoTopUp.objects.filter(organization_id=row.organization_id).update(
            paused_at=now, failure_code=code[:64]
        )
        _tell(row, code, now)


def _tell(payment: Payment, code: str, now: datetime) -> None:
    organization = Organization.objects.get(id=payment.organization_id)
    amount = format_amount(payment.gross_micros, payment.currency)
    write_event(
        organization_id=organization.id,
        kind=EventType.TOPUP_FAILED,
        data={
            "object": "topup",
            "id": str(payment.id),
            "amount": amount,
            "currency": payment.currency,
            "reason": code,
            "created": int(now.timestamp()),
        },
        now=now,
    )
    for recipient in billing_recipients(organization):
        write_mail(
            kind="auto_top_up_paused",
            recipient=recipient,
            language=organization.language,
            context={
                "organization": organization.name,
                "amount": f"{amount} {payment.currency}",
                "card": str(payment.card or ""),
                "must_confirm": code == "authentication_required",
                "link": f"{settings.PUBLIC_BASE_URL}/o/{organization.id}/billing/automatic",
            },
            now=now,
            organization_id=organization.id,
        )


def billing_recipients(organization: Organization) -> list[str]:
    """Return who is written to about money: the billing address, else owners and billing."""
    if organization.billing_email:
        return [organization.billing_email]
    rows = Membership.objects.filter(
        organization=organization, role__in=(Role.OWNER, Role.BILLING), user__is_active=True
    )
    return sorted(rows.values_list("user__email", flat=True))
