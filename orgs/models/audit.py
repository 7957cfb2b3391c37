"""The audit log: who administered what, when, and what it was before."""

from django.core.serializers.json import DjangoJSONEncoder
from django.db import models
from django.utils import timezone

from core.ids import new_uuid
from orgs.models.organization import Organization


class AuditEvent(models.Model):
    """One administrative action, written in its transaction; the database refuses any change.

    People, keys and objects are named by id and by what they were called then, without foreign
    keys: the log outlives them. Events of the platform itself have no organization. `changes` is
    `{field: {"before", "after"}}` of what differs, never a secret.
    """

    class ActorKind(models.TextChoices):
        USER = "user", "Person"
        API_KEY = "api_key", "API key"
        SYSTEM = "system", "Platform"

    id = models.UUIDField(primary_key=True, default=new_uuid, editable=False)
    organization = models.ForeignKey(
        Organization, on_delete=models.PROTECT, null=True, related_name="+", db_index=False
    )
    actor_kind = models.CharField(max_length=10, choices=ActorKind)
    actor_id = models.UUIDField(null=True)
    actor_label = models.CharField(max_length=254)
    impersonator_id = models.UUIDField(null=True)
    impersonator_label = models.CharField(max_length=254, blank=True)
    action = models.CharField(max_length=60)
    object_type = models.CharField(max_length=40)
    object_id = models.CharField(max_length=64)
    object_label = models.CharField(max_length=254, blank=True)
    changes = models.JSONField(default=dict, encoder=DjangoJSONEncoder)
    ip = models.GenericIPAddressField(null=True)
    user_agent = models.CharField(max_length=300, blank=True)
    request_id = models.CharField(max_length=64, blank=True)
    created_at = models.DateTimeField(default=timezone.now, editable=False)

    class Meta:
        constraints = [
            models.CheckConstraint(
                condition=models.Q(actor_kind="system", actor_id__isnull=True)
                | models.Q(actor_kind__in=["user", "api_key"], actor_id__isnull=False),
                name="orgs_auditevent_actor_named",
            ),
            models.CheckConstraint(
                condition=models.Q(action__regex=r"^[a-z_]+(\.[a-z_]+)+$"),
                name="orgs_auditevent_action_dotted",
            ),
        ]
        indexes = [
            models.Index(
                fields=["organization", "-created_at", "-id"], name="orgs_auditevent_listing"
            ),
            models.Index(
                fields=["organization", "actor_id", "-created_at", "-id"],
                name="orgs_auditevent_of_actor",
            ),
            models.Index(
                fields=["organization", "action", "-created_at", "-id"],
                name="orgs_auditevent_of_action",
            ),
            models.Index(
                fields=["organization", "object_type", "object_id", "-created_at", "-id"],
                name="orgs_auditevent_of_object",
            ),
            models.Index(fields=["-created_at", "-id"], name="orgs_auditevent_platform"),
        ]

    def __str__(self) -> str:
        return f"{self.created_at} {self.actor_label} {self.action} {self.object_label}"
