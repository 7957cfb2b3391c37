"""Sending word of invoices to the address that the billing profile names for them."""

from datetime import datetime

from django.conf import settings

from billing.models import Invoice
from billing.money import format_amount
from orgs.services.mails import write_mail


def tell(invoice: Invoice, *, now: datetime) -> None:
    """Write a mail with the invoice's address; without an address for invoices, none.

    Joins the caller's transaction.
    """
    organization = invoice.payment.organization
    if not organization.billing_email:
        return
    page = f"/o/{organization.id}/billing/invoices/{invoice.id}"
    total = invoice.net_micros + invoice.tax_micros
    write_mail(
        kind="invoice",
        recipient=organization.billing_email,
        language=organization.language,
        context={
            "organization": organization.name,
            "issuer": settings.STATEMENT_ISSUER,
            "number": str(invoice),
            "is_correction": invoice.kind == Invoice.Kind.CORRECTION,
            "is_sandbox": invoice.payment.is_sandbox,
            "net": f"{format_amount(invoice.net_micros, invoice.currency)} {invoice.currency}",
            "total": f"{format_amount(total, invoice.currency)} {invoice.currency}",
            "link": f"{settings.PUBLIC_BASE_URL}{page}",
        },
        now=now,
        organization_id=organization.id,
    )
