"""An export: many images of an organization as one ZIP file, kept for a day."""

from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models import Q

from core.ids import new_uuid


class Export(models.Model):
    """One ZIP file, from the order to its end. The row is the queue, as that of a thumbnail is.

    `artifact_ids` are the images in their order in the file, `total` of them; `done` are in it, and
    `missing` were deleted meanwhile. A worker that makes it renews `claimed_at` with its progress;
    when that grows old, the next one starts afresh and gives up the `upload_id` of the first.
    `seen_at` is when who ordered it looked at its end.
    """

    class Status(models.TextChoices):
        QUEUED = "queued", "Queued"
        RUNNING = "running", "Running"
        READY = "ready", "Ready"
        FAILED = "failed", "Failed"
        EXPIRED = "expired", "Expired"

    id = models.UUIDField(primary_key=True, default=new_uuid, editable=False)
    organization = models.ForeignKey("orgs.Organization", on_delete=models.PROTECT, db_index=False)
    created_by = models.ForeignKey(
        "orgs.User", on_delete=models.SET_NULL, null=True, related_name="+", db_index=False
    )
    artifact_ids = ArrayField(models.UUIDField())
    status = models.CharField(max_length=10, choices=Status, default=Status.QUEUED)
    total = models.PositiveIntegerField()
    done = models.PositiveIntegerField(default=0)
    missing = models.PositiveIntegerField(default=0)
    size_bytes = models.BigIntegerField(default=0)
    key = models.CharField(max_length=200)
    upload_id = models.TextField(blank=True)
    claim_token = models.UUIDField(null=True)
    claimed_at = models.DateTimeField(null=True)
    tries = models.PositiveSmallIntegerField(default=0)
    created_at = models.DateTimeField()
    finished_at = models.DateTimeField(null=True)
    expires_at = models.DateTimeField(null=True)
    seen_at = models.DateTimeField(null=True)

    class Meta:
        constraints = [
            models.CheckConstraint(
                condition=Q(status__in=["queued", "running", "ready", "failed", "expired"]),
                name="gateway_export_status_valid",
            ),
            models.CheckConstraint(
                condition=~Q(status="ready") | Q(expires_at__isnull=False, size_bytes__gt=0),
                name="gateway_export_ready_expires",
            ),
        ]
        indexes = [
            models.Index(fields=["organization", "-created_at"], name="gateway_export_listing"),
            models.Index(
                fields=["created_at"],
                condition=Q(status__in=["queued", "running"]),
                name="gateway_export_queue",
            ),
            models.Index(
                fields=["expires_at"],
                condition=Q(status="ready"),
                name="gateway_export_expiry",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.id} {self.status} {self.done}/{self.total}"
