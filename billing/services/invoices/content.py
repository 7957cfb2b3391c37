"""What an invoice says, as it is frozen: numbers and codes; words are for who renders it.

Amounts are integer micros, rates decimal strings, instants ISO 8601 in UTC.
"""

from datetime import UTC, datetime
from typing import Any, Final

from django.conf import settings

from billing.models import Payment
from billing.services.statements.content import make_customer

FORMAT: Final = 1


def make_content(*, payment: Payment, reason: str, amounts: tuple[int, int]) -> dict[str, Any]:
    """Put together all that an invoice says but its number and what it corrects.

    Args:
        payment: With its organization.
        reason: Of the entry: `top_up`, `refund`, `refund_failed`, `dispute` or `dispute_won`.
        amounts: Net and tax.
    """
    net, tax = amounts
    organization = payment.organization
    return {
        "format": FORMAT,
        "seller": {
            "name": settings.STATEMENT_ISSUER,
            "tax_id": settings.INVOICE_TAX_ID,
            "address": settings.INVOICE_ADDRESS,
        },
        "customer": make_customer(organization),
        "language": organization.language,
        "time_zone": organization.time_zone,
        "is_sandbox": payment.is_sandbox,
        "payment": {
            "id": str(payment.id),
            "kind": str(payment.kind),
            "reference": payment.reference,
            "card": f"{payment.card_brand} {payment.card_last4}".strip(),
        },
        "reason": reason,
        "paid_at": _instant(payment.received_at),
        "currency": payment.currency,
        "lines": [{"item": "prepaid_credit", "net": net}],
        "tax": {
            "basis": str(payment.tax_basis),
            "country": payment.tax_country,
            "name": payment.tax_name,
            "rate": f"{payment.tax_rate.normalize():f}",
            "reason": payment.tax_reason,
        },
        "net": net,
        "tax_amount": tax,
        "total": net + tax,
    }


def make_heading(
    *, series: str, number: int, kind: str, corrects: str, issued_at: datetime
) -> dict[str, Any]:
    """Return what the number adds to a content."""
    return {
        "number": f"{series}-{number:06d}",
        "kind": kind,
        "corrects": corrects,
        "issued_at": _instant(issued_at),
    }


def _instant(value: datetime | None) -> str:
    return "" if value is None else value.astimezone(UTC).isoformat()
