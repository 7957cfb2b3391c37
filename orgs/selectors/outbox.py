"""What waits to be sent: webhooks and mail."""

from dataclasses import dataclass
from datetime import datetime

from django.db.models import Count, Min

from orgs.models import Mail, WebhookDelivery


@dataclass(frozen=True, slots=True)
class Waiting:
    """How much waits, and since when the oldest; what was tried in vain waits too."""

    count: int
    oldest_at: datetime | None


@dataclass(frozen=True, slots=True)
class OutboxView:
    """What the dispatcher has yet to send."""

    webhooks: Waiting
    mail: Waiting


def read_outbox() -> OutboxView:
    """Return what waits, over all organizations. Two queries."""
    webhooks = WebhookDelivery.objects.filter(status=WebhookDelivery.Status.PENDING).aggregate(
        count=Count("id"), oldest_at=Min("created_at")
    )
    mail = Mail.objects.filter(status=Mail.Status.PENDING).aggregate(
        count=Count("id"), oldest_at=Min("created_at")
    )
    return OutboxView(Waiting(**webhooks), Waiting(**mail))
