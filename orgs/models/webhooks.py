"""Events that customers are told of, where they want them, and how telling them went."""

from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.utils import timezone

from core.ids import new_uuid
from orgs.models.organization import Organization


class WebhookEndpoint(models.Model):
    """A URL of an organization that gets some kinds of events.

    Secrets are encrypted (`orgs.services.signing`); `previous_secret` signs beside `secret` until
    `previous_secret_until`. A deleted endpoint stays as a row, without secrets, until its
    deliveries are pruned: what inserts a delivery beside a deletion must not fail by it.
    """

    class DisabledReason(models.TextChoices):
        NONE = "", "None"
        REQUEST = "request", "Its organization switched it off"
        GONE = "gone", "Its receiver answered 410"

    id = models.UUIDField(primary_key=True, default=new_uuid, editable=False)
    organization = models.ForeignKey(
        Organization, on_delete=models.PROTECT, related_name="webhooks", db_index=False
    )
    url = models.CharField(max_length=2048)
    events = ArrayField(models.CharField(max_length=40))
    secret = models.BinaryField()
    previous_secret = models.BinaryField(null=True)
    previous_secret_until = models.DateTimeField(null=True)
    is_enabled = models.BooleanField(default=True)
    disabled_reason = models.CharField(
        max_length=10, choices=DisabledReason, blank=True, default=DisabledReason.NONE
    )
    created_at = models.DateTimeField(default=timezone.now, editable=False)
    deleted_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        constraints = [
            models.CheckConstraint(
                condition=models.Q(disabled_reason__in=["", "request", "gone"]),
                name="orgs_webhook_disabled_reason_valid",
            ),
            models.CheckConstraint(
                condition=models.Q(is_enabled=True, disabled_reason="")
                | (models.Q(is_enabled=False) & ~models.Q(disabled_reason="")),
                name="orgs_webhook_disabled_has_reason",
            ),
            models.CheckConstraint(
                condition=models.Q(previous_secret__isnull=True, previous_secret_until__isnull=True)
                | models.Q(previous_secret__isnull=False, previous_secret_until__isnull=False),
                name="orgs_webhook_previous_secret_has_end",
            ),
        ]
        indexes = [
            models.Index(
                fields=["organization", "created_at"],
                condition=models.Q(deleted_at__isnull=True),
                name="orgs_webhook_of_organization",
            )
        ]

    def __str__(self) -> str:
        return f"{self.id} {self.url}"


class OutboxEvent(models.Model):
    """Something that happened, written in the transaction in which it did.

    Only what some endpoint wants is written. `data` names what it happened to; a generation's is
    its id alone, as its resource is built when it is sent.
    """

    id = models.UUIDField(primary_key=True, default=new_uuid, editable=False)
    organization = models.ForeignKey(Organization, on_delete=models.PROTECT, db_index=False)
    type = models.CharField(max_length=40)
    data = models.JSONField()
    created_at = models.DateTimeField()

    class Meta:
        indexes = [models.Index(fields=["created_at"], name="orgs_outboxevent_age")]

    def __str__(self) -> str:
        return f"{self.id} {self.type}"


class WebhookDelivery(models.Model):
    """One event on its way to one endpoint.

    The row is the queue: a pending one is due at `next_at`. A claim sets `claim_token` and moves
    `next_at` on by a lease, so that what a dead dispatcher had claimed falls due again. `tries` are
    the calls made, oldest first, each `{"at", "status", "error", "duration_ms"}`; `failures` counts
    those since the delivery was last queued, and `give_up_at` bounds them.
    """

    class Status(models.TextChoices):
        PENDING = "pending", "Pending"
        DELIVERED = "delivered", "Delivered"
        FAILED = "failed", "Failed"

    id = models.UUIDField(primary_key=True, default=new_uuid, editable=False)
    event = models.ForeignKey(
        OutboxEvent, on_delete=models.CASCADE, related_name="deliveries", db_index=False
    )
    endpoint = models.ForeignKey(
        WebhookEndpoint, on_delete=models.CASCADE, related_name="deliveries", db_index=False
    )
    status = models.CharField(max_length=10, choices=Status, default=Status.PENDING)
    next_at = models.DateTimeField(null=True)
    claim_token = models.UUIDField(null=True)
    tries = models.JSONField(default=list)
    failures = models.PositiveSmallIntegerField(default=0)
    give_up_at = models.DateTimeField()
    created_at = models.DateTimeField()

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["event", "endpoint"], name="orgs_webhookdelivery_once_per_endpoint"
            ),
            models.CheckConstraint(
                condition=models.Q(status="pending", next_at__isnull=False)
                | models.Q(
                    status__in=["delivered", "failed"],
                    next_at__isnull=True,
                    claim_token__isnull=True,
                ),
                name="orgs_webhookdelivery_pending_iff_due",
            ),
        ]
        indexes = [
            models.Index(
                fields=["endpoint", "next_at"],
                condition=models.Q(status="pending"),
                name="orgs_webhookdelivery_due",
            ),
            models.Index(
                fields=["endpoint", "next_at"],
                condition=models.Q(claim_token__isnull=False),
                name="orgs_webhookdelivery_claimed",
            ),
            models.Index(
                fields=["endpoint", "-created_at", "-id"], name="orgs_webhookdelivery_listing"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.event_id} to {self.endpoint_id} {self.status}"
