"""A finding: something of the platform that an operator should look at."""

from django.db import models
from django.db.models import Q

from core.ids import new_uuid


class Finding(models.Model):
    """One fault of one object, as checks and services saw it; one row however often they did.

    `kind` is one of `gateway.services.findings.Kind`; `words` are what was seen, for operators.
    A row is open until a check no longer finds the fault (`resolved_at`); seen again it opens anew,
    and who acknowledged it before is forgotten. `count` is how often it was seen in all.
    `acknowledged_by` is the operator's name as it was then.
    """

    class Severity(models.TextChoices):
        CRITICAL = "critical", "Critical"
        WARNING = "warning", "Warning"

    id = models.UUIDField(primary_key=True, default=new_uuid, editable=False)
    kind = models.CharField(max_length=40)
    severity = models.CharField(max_length=10, choices=Severity)
    object_type = models.CharField(max_length=40)
    object_id = models.CharField(max_length=120)
    organization = models.ForeignKey(
        "orgs.Organization", on_delete=models.PROTECT, null=True, related_name="+", db_index=False
    )
    words = models.CharField(max_length=1000)
    count = models.PositiveIntegerField(default=1)
    first_seen_at = models.DateTimeField()
    last_seen_at = models.DateTimeField()
    resolved_at = models.DateTimeField(null=True)
    acknowledged_at = models.DateTimeField(null=True)
    acknowledged_by = models.CharField(max_length=254, blank=True)
    note = models.CharField(max_length=500, blank=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["kind", "object_type", "object_id"], name="gateway_finding_once_per_object"
            ),
            models.CheckConstraint(
                condition=Q(severity__in=["critical", "warning"]),
                name="gateway_finding_severity_valid",
            ),
            models.CheckConstraint(
                condition=Q(acknowledged_at__isnull=True, acknowledged_by="")
                | (Q(acknowledged_at__isnull=False) & ~Q(acknowledged_by="")),
                name="gateway_finding_acknowledged_by_somebody",
            ),
        ]
        indexes = [
            models.Index(
                fields=["kind"], condition=Q(resolved_at__isnull=True), name="gateway_finding_open"
            ),
            models.Index(fields=["-last_seen_at", "-id"], name="gateway_finding_listing"),
        ]

    def __str__(self) -> str:
        return f"{self.kind} {self.object_type} {self.object_id}"
