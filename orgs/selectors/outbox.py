"""What waits to be sent: webhooks and mail."""

from dataclasses import dataclass
from datetime import datetime
from typing import Final

from django.db import connection
from django.db.models import Count, Min

from core.metrics.gauges import Gauges
from orgs.models import Mail, WebhookDelivery

# One that waits for its next try is not due, and nobody sends what its endpoint does not want. Mail
# that was tried in vain waits from its beginning where the server is to blame and not an address:
# it takes neither this one nor another's, and has taken none since it was written.
_DELAYS: Final = """
SELECT count(delivery.id), coalesce(extract(epoch FROM %(now)s - min(delivery.next_at)), 0),
    (
        SELECT coalesce(extract(epoch FROM %(now)s - least(
            min(CASE failures WHEN 0 THEN created_at ELSE next_at END),
            CASE
                WHEN count(DISTINCT recipient) FILTER (WHERE is_unanswered) > 1
                    OR bool_or(is_unanswered AND error <> ALL(%(of_address)s::text[]))
                THEN min(created_at) FILTER (WHERE is_unanswered)
            END
        )), 0)
        FROM (
            SELECT created_at, next_at, failures, recipient, error,
                failures > 0 AND created_at > coalesce(
                    (SELECT max(ended_at) FROM orgs_mail WHERE status = 'sent'), '-infinity'
                ) AS is_unanswered
            FROM orgs_mail WHERE status = 'pending'
        ) AS mail
    )
FROM orgs_webhookdelivery AS delivery
JOIN orgs_webhookendpoint AS endpoint ON endpoint.id = delivery.endpoint_id
WHERE delivery.status = 'pending' AND endpoint.is_enabled AND endpoint.deleted_at IS NULL
"""
# What a mail server says of one address or one message (`orgs.services.mails`).
_OF_ADDRESS: Final = ["SMTPRecipientsRefused", "SMTPDataError"]


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


def read_gauges(*, now: datetime) -> Gauges:
    """Return how much waits, and how late it is. One query, whose cost is that of what waits."""
    with connection.cursor() as cursor:
        cursor.execute(_DELAYS, {"now": now, "of_address": _OF_ADDRESS})
        webhooks, webhook_age_s, mail_age_s = cursor.fetchone()
    return {
        "lienzo_webhooks_pending": {(): webhooks},
        "lienzo_webhook_age_seconds": {(): max(webhook_age_s, 0)},
        "lienzo_mail_age_seconds": {(): max(mail_age_s, 0)},
    }
