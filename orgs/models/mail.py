"""Mail on its way out."""

from django.db import models
from django.utils import timezone

from core.ids import new_uuid
from orgs.models.organization import Organization


class Mail(models.Model):
    """One message to one address, written in the transaction that causes it.

    The row is the queue, as a webhook's delivery is: a pending one is due at `next_at`, a claim
    moves that on by a lease. `body` is encrypted, since links in it let their reader in, and
    emptied once the message is sent or given up.
    """

    class Status(models.TextChoices):
        PENDING = "pending", "Pending"
        SENT = "sent", "Sent"
        FAILED = "failed", "Failed"

    id = models.UUIDField(primary_key=True, default=new_uuid, editable=False)
    organization = models.ForeignKey(
        Organization, on_delete=models.PROTECT, null=True, related_name="+", db_index=False
    )
    kind = models.CharField(max_length=40)
    recipient = models.EmailField()
    subject = models.CharField(max_length=400)
    body = models.BinaryField()
    status = models.CharField(max_length=10, choices=Status, default=Status.PENDING)
    next_at = models.DateTimeField(null=True)
    claim_token = models.UUIDField(null=True)
    failures = models.PositiveSmallIntegerField(default=0)
    error = models.CharField(max_length=200, blank=True)
    give_up_at = models.DateTimeField()
    created_at = models.DateTimeField(default=timezone.now, editable=False)
    ended_at = models.DateTimeField(null=True)

    class Meta:
        constraints = [
            models.CheckConstraint(
                condition=models.Q(status="pending", next_at__isnull=False, ended_at__isnull=True)
                | models.Q(
                    status__in=["sent", "failed"],
                    next_at__isnull=True,
                    claim_token__isnull=True,
                    ended_at__isnull=False,
                ),
                name="orgs_mail_pending_iff_due",
            ),
        ]
        indexes = [
            models.Index(
                fields=["next_at"], condition=models.Q(status="pending"), name="orgs_mail_due"
            ),
            models.Index(
                fields=["ended_at"],
                condition=models.Q(ended_at__isnull=False),
                name="orgs_mail_ended",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.kind} {self.id} {self.status}"
