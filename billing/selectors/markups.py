"""Reading markups."""

from datetime import datetime
from decimal import Decimal
from uuid import UUID

from billing.models import Markup


def default_markup(*, now: datetime) -> Decimal:
    """Return the platform's markup in force, as a fraction: 0.05 is five percent."""
    newest = (
        Markup.objects.filter(organization__isnull=True, model_key="", active_from__lte=now)
        .order_by("-active_from", "-id")
        .first()
    )
    return Decimal(0) if newest is None or newest.rate is None else newest.rate


def organization_markup(*, organization_id: UUID, now: datetime) -> Decimal | None:
    """Return an organization's own markup in force, of all models; None while it has none."""
    newest = (
        Markup.objects.filter(organization_id=organization_id, model_key="", active_from__lte=now)
        .order_by("-active_from", "-id")
        .first()
    )
    return None if newest is None else newest.rate
