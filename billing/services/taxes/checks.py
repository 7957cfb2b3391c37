"""Checking that the tax of payments is what their terms make."""

from collections.abc import Iterator
from uuid import UUID

from billing.models import Payment
from billing.services.taxes.amounts import net_within, tax_on
from billing.types import Finding

_SPLIT = (Payment.Kind.TRANSFER, Payment.Kind.ASSIGNED)


def check_taxes(*, organization_id: UUID | None) -> Iterator[Finding]:
    """Yield payments whose tax is not their rate's."""
    rows = Payment.objects.exclude(tax_rate=0)
    if organization_id is not None:
        rows = rows.filter(organization_id=organization_id)
    for row in rows.order_by("id").iterator(chunk_size=500):
        if row.kind in _SPLIT:
            due = row.gross_micros - net_within(row.gross_micros, row.tax_rate, row.currency)
        else:
            due = tax_on(row.net_micros, row.tax_rate, row.currency)
        if row.tax_micros != due:
            yield Finding(
                "payment_tax",
                "billing_payment",
                str(row.id),
                f"says {row.tax_micros} micros are tax, its rate of {row.tax_rate} makes {due}",
            )
