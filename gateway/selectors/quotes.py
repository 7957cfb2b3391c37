"""Quotes that may still be used."""

from datetime import datetime
from uuid import UUID

from gateway.models import Quote


def has_open_quotes(*, organization_id: UUID, now: datetime) -> bool:
    """Say whether an organization has been promised a price that it may still use."""
    return Quote.objects.filter(
        organization_id=organization_id, expires_at__gt=now, used_at__isnull=True
    ).exists()
