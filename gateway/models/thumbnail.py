"""A thumbnail: a small copy of a delivered image, made when the gallery first shows it."""

from django.db import models
from django.db.models import Q

from core.ids import new_uuid
from gateway.models.artifact import Artifact


class Thumbnail(models.Model):
    """One small copy. The row is the order to make it, and the queue: nothing else is needed.

    `edge` is the most pixels of its longer side. A worker takes a wanted one by `claimed_at`, which
    grows old if that worker dies; `tries` counts the times.
    """

    class Status(models.TextChoices):
        WANTED = "wanted", "Wanted"
        DONE = "done", "Done"
        FAILED = "failed", "Failed"

    id = models.UUIDField(primary_key=True, default=new_uuid, editable=False)
    artifact = models.ForeignKey(
        Artifact, on_delete=models.CASCADE, related_name="thumbnails", db_index=False
    )
    edge = models.PositiveSmallIntegerField()
    status = models.CharField(max_length=10, choices=Status, default=Status.WANTED)
    key = models.CharField(max_length=200)
    tries = models.PositiveSmallIntegerField(default=0)
    size_bytes = models.PositiveIntegerField(null=True)
    requested_at = models.DateTimeField()
    claimed_at = models.DateTimeField(null=True)
    made_at = models.DateTimeField(null=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["artifact", "edge"], name="gateway_thumbnail_edge_unique"
            ),
            models.CheckConstraint(
                condition=Q(status__in=["wanted", "done", "failed"]),
                name="gateway_thumbnail_status_valid",
            ),
            models.CheckConstraint(
                condition=~Q(status="done") | Q(made_at__isnull=False, size_bytes__gt=0),
                name="gateway_thumbnail_done_is_made",
            ),
        ]
        indexes = [
            models.Index(
                fields=["requested_at"],
                condition=Q(status="wanted"),
                name="gateway_thumbnail_queue",
            )
        ]

    def __str__(self) -> str:
        return f"{self.key} {self.status}"
