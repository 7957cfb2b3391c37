"""An attempt: one call to one provider, recorded before it is made."""

from django.contrib.postgres.fields import ArrayField
from django.db import models

from core.ids import new_uuid
from gateway.models.generation import Generation


class Attempt(models.Model):
    """One call to one provider. `cost_micros` is what it costs the platform, in micros of USD.

    `indexes` are the images of its generation that the call was to make. Where a generation needs
    several calls, `result` keeps what this one stored (`gateway.services.runs.progress.Made`) until
    all have ended; `received_at` is when all that the provider sent had arrived, of a call that
    gave images; `moderated` are the indexes of the images its provider withheld. `error_kind` is
    how the call failed, a class of `gateway.providers.errors`.
    """

    class Status(models.TextChoices):
        STARTED = "started", "Started"
        SUCCEEDED = "succeeded", "Succeeded"
        FAILED = "failed", "Failed"
        REFUSED = "refused", "Refused"
        LATE = "late", "Late"
        UNKNOWN = "unknown", "Unknown"

    id = models.UUIDField(primary_key=True, default=new_uuid, editable=False)
    generation = models.ForeignKey(
        Generation, on_delete=models.CASCADE, related_name="attempts", db_index=False
    )
    number = models.PositiveSmallIntegerField()
    indexes = ArrayField(models.PositiveSmallIntegerField(), default=list, db_default=[0])
    result = models.JSONField(null=True)
    moderated = ArrayField(models.PositiveSmallIntegerField(), default=list, db_default=[])
    provider = models.CharField(max_length=20)
    upstream_model = models.CharField(max_length=150)
    is_sandboxed = models.BooleanField(default=False)
    upstream_id = models.CharField(max_length=200, blank=True)
    upstream_request_id = models.CharField(max_length=200, blank=True)
    status = models.CharField(max_length=10, choices=Status, default=Status.STARTED)
    error_code = models.CharField(max_length=100, blank=True)
    error_message = models.CharField(max_length=500, blank=True)
    error_kind = models.CharField(max_length=30, blank=True, db_default="")
    upstream_status = models.PositiveSmallIntegerField(null=True)
    cost_micros = models.BigIntegerField(default=0)
    claim_token = models.UUIDField()
    started_at = models.DateTimeField()
    received_at = models.DateTimeField(null=True)
    finished_at = models.DateTimeField(null=True)

    class Meta:
        indexes = [
            models.Index(
                fields=["started_at"],
                condition=models.Q(finished_at__isnull=True),
                name="gateway_attempt_open",
            ),
            # What the breakers count and the health of providers is made of.
            models.Index(
                fields=["provider", "finished_at"],
                condition=models.Q(finished_at__isnull=False, is_sandboxed=False),
                name="gateway_attempt_real",
            ),
            # What cost money and delivered nothing.
            models.Index(
                fields=["finished_at"],
                condition=models.Q(
                    cost_micros__gt=0, status__in=["failed", "refused", "late", "unknown"]
                ),
                name="gateway_attempt_lost",
            ),
            # Support and the request log are given a provider's id and look for its request.
            models.Index(
                fields=["upstream_id"],
                condition=~models.Q(upstream_id=""),
                name="gateway_attempt_upstream_id",
            ),
            models.Index(
                fields=["upstream_request_id"],
                condition=~models.Q(upstream_request_id=""),
                name="gateway_attempt_upstream_req",
            ),
        ]
        constraints = [
            models.UniqueConstraint(
                fields=["generation", "number"], name="gateway_attempt_number_unique"
            ),
            models.CheckConstraint(
                condition=models.Q(
                    status__in=["started", "succeeded", "failed", "refused", "late", "unknown"]
                ),
                name="gateway_attempt_status_valid",
            ),
            models.CheckConstraint(
                condition=models.Q(cost_micros__gte=0), name="gateway_attempt_cost_positive"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.generation_id}#{self.number} {self.provider} {self.status}"
