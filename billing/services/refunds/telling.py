"""Telling an organization of a credit note, by webhook and by mail."""

from datetime import datetime
from uuid import UUID

from django.conf import settings

from billing.models import CreditNote
from billing.money import format_amount
from billing.services.payments.failures import billing_recipients
from core.ids import request_id
from orgs.models import Organization
from orgs.services.mails import write_mail
from orgs.services.outbox import EventType, write_event


def tell_of_credit_note(note: CreditNote, *, now: datetime) -> None:
    """Write the event and the mails. Joins the caller's transaction."""
    organization = Organization.objects.get(id=note.organization_id)
    amount = format_amount(note.amount_micros, note.currency)
    request, images = public_reference(note.content["reference"]), len(note.content["images"])
    write_event(
        organization_id=organization.id,
        kind=EventType.CREDIT_NOTE_ISSUED,
        data={
            "object": "credit_note",
            "number": note.number,
            "generation_id": request,
            "images": images,
            "amount": amount,
            "currency": note.currency,
            "reason": note.content["reason"],
            "created": int(now.timestamp()),
        },
        now=now,
    )
    home = f"{settings.PUBLIC_BASE_URL}/o/{organization.id}"
    for recipient in billing_recipients(organization):
        write_mail(
            kind="credit_note",
            recipient=recipient,
            language=organization.language,
            context={
                "organization": organization.name,
                "number": note.number,
                "amount": f"{amount} {note.currency}",
                "request": request,
                "images": images,
                "reason": note.content["reason"],
                "link": f"{home}/credit-notes/{note.number}",
            },
            now=now,
            organization_id=organization.id,
        )


def public_reference(reference: str) -> str:
    """Return a generation's public id; a reference that is no UUID as it is."""
    try:
        return request_id(UUID(reference))
    except ValueError:
        return reference
