"""What is in accounts of organizations."""

from uuid import UUID

from billing.models import Hold, Posting


def has_money(*, organization_id: UUID) -> bool:
    """Say whether anything was ever booked or set aside for an organization."""
    return (
        Posting.objects.filter(account__organization_id=organization_id).exists()
        or Hold.objects.filter(organization_id=organization_id).exists()
    )
