"""Reading webhooks' deliveries for people."""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from django.db.models import Count, Max, Q

from orgs.models import WebhookDelivery


@dataclass(frozen=True, slots=True)
class DeliveryCounts:
    """How an endpoint's deliveries went since an instant."""

    delivered: int = 0
    failed: int = 0
    pending: int = 0
    last_at: datetime | None = None


def count_deliveries(*, organization_id: UUID, since: datetime) -> dict[UUID, DeliveryCounts]:
    """Return the counts of each endpoint that had deliveries since then. One query."""
    rows = (
        WebhookDelivery.objects.filter(
            endpoint__organization_id=organization_id,
            endpoint__deleted_at__isnull=True,
            created_at__gte=since,
        )
        .values("endpoint_id")
        .annotate(
            delivered=Count("id", filter=Q(status="delivered")),
            failed=Count("id", filter=Q(status="failed")),
            pending=Count("id", filter=Q(status="pending")),
            last_at=Max("created_at"),
        )
        .order_by()
    )
    return {
        row["endpoint_id"]: DeliveryCounts(
            row["delivered"], row["failed"], row["pending"], row["last_at"]
        )
        for row in rows
    }


def find_delivery(
    *, organization_id: UUID, endpoint_id: UUID, delivery_id: UUID
) -> WebhookDelivery | None:
    """Return a delivery of the endpoint with its event, or None."""
    return (
        WebhookDelivery.objects.select_related("event")
        .filter(id=delivery_id, endpoint_id=endpoint_id, endpoint__organization_id=organization_id)
        .first()
    )
