"""What is in accounts of organizations."""

from uuid import UUID

from billing.models import Hold, Payment, Posting


def has_money(*, organization_id: UUID) -> bool:
    """Say whether anything was ever booked or set aside for an organization, or is being paid."""
    return (
        Posting.objects.filter(account__organization_id=organization_id).exists()
        or Hold.objects.filter(organization_id=organization_id).exists()
        or Payment.objects.filter(
            organization_id=organization_id, status=Payment.Status.PENDING
        ).exists()
    )
