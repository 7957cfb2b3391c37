"""Credit notes: what they say, and their numbers.

A content has numbers and codes; words are for who renders it. Amounts are integer micros, instants
ISO 8601 in UTC.
"""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any, Final

from django.conf import settings
from django.db import connection
from django.db.models import Max

from billing.models import CreditNote, Refund, RefundedImage
from billing.selectors.refunds.charges import Charge
from billing.services.statements.content import digest_of, make_customer
from orgs.models import Organization

FORMAT: Final = 1
# Any fixed number: "lienzo note" in ASCII, cut to 63 bits.
ADVISORY_LOCK: Final = 0x6C69656E7A6F6E6F


def issue_credit_note(
    refund: Refund, images: Sequence[RefundedImage], charge: Charge, *, now: datetime
) -> CreditNote:
    """Issue a refund's credit note under the next number. Joins the caller's transaction.

    Comes last in it: numbers are given one at a time until the commit, and whoever waits for the
    next one holds nothing that this transaction still needs.
    """
    organization = Organization.objects.get(id=refund.organization_id)
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(%s)", [ADVISORY_LOCK])
    last = CreditNote.objects.aggregate(last=Max("number"))["last"] or 0
    content = _content(refund, images, charge, organization)
    content |= {"number": last + 1, "issued_at": _instant(now)}
    return CreditNote.objects.create(
        number=last + 1,
        refund=refund,
        organization=organization,
        amount_micros=refund.amount_micros,
        currency=refund.currency,
        content=content,
        digest=digest_of(content),
        issued_at=now,
    )


def _content(
    refund: Refund, images: Sequence[RefundedImage], charge: Charge, organization: Organization
) -> dict[str, Any]:
    return {
        "format": FORMAT,
        "issuer": settings.STATEMENT_ISSUER,
        "customer": make_customer(organization),
        "language": organization.language,
        "time_zone": organization.time_zone,
        "currency": refund.currency,
        "reference": refund.reference,
        "charged_at": _instant(charge.captured_at),
        "charged": charge.amount_micros,
        "model": charge.model,
        "size": charge.size,
        "quality": charge.quality,
        "reason": refund.reason,
        "images": [
            {"position": one.position, "artifact": one.artifact, "amount": one.amount_micros}
            for one in images
        ],
        "amount": refund.amount_micros,
    }


def _instant(value: datetime) -> str:
    return value.astimezone(UTC).isoformat()
