"""API keys. Only an HMAC of the secret is stored."""

from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.utils import timezone

from core.ids import new_uuid
from orgs.models.organization import Organization
from orgs.models.user import User


class ApiKey(models.Model):
    """A credential of an organization.

    `lookup` is the readable start of the secret's random part, `digest` the HMAC-SHA256 of the
    whole secret; a rotation keeps those it replaced as `previous_*`, until the overlap ends.
    `hashed_by` is the fingerprint of the server's secret that made the digest, empty for keys not
    used since it is kept. Empty `scopes`, `models_allowed` and `cidrs` mean no restriction, a null
    limit no limit.
    """

    id = models.UUIDField(primary_key=True, default=new_uuid, editable=False)
    organization = models.ForeignKey(
        Organization, on_delete=models.PROTECT, related_name="api_keys"
    )
    created_by = models.ForeignKey(User, on_delete=models.SET_NULL, null=True, blank=True)
    name = models.CharField(max_length=200)
    livemode = models.BooleanField()
    lookup = models.CharField(max_length=16, unique=True)
    digest = models.BinaryField(max_length=32)
    hashed_by = models.CharField(max_length=12, blank=True, default="", db_default="")
    previous_lookup = models.CharField(max_length=16, unique=True, null=True, blank=True)
    previous_digest = models.BinaryField(max_length=32, null=True, blank=True)
    previous_hashed_by = models.CharField(max_length=12, blank=True, default="", db_default="")
    previous_expires_at = models.DateTimeField(null=True, blank=True)
    scopes = ArrayField(models.CharField(max_length=40), default=list, blank=True)
    models_allowed = ArrayField(models.CharField(max_length=100), default=list, blank=True)
    cidrs = ArrayField(models.CharField(max_length=50), default=list, blank=True)
    max_concurrent = models.PositiveIntegerField(null=True, blank=True)
    requests_per_minute = models.PositiveIntegerField(null=True, blank=True)
    images_per_minute = models.PositiveIntegerField(null=True, blank=True)
    expires_at = models.DateTimeField(null=True, blank=True)
    revoked_at = models.DateTimeField(null=True, blank=True)
    last_used_at = models.DateTimeField(null=True, blank=True)
    created_at = models.DateTimeField(default=timezone.now, editable=False)

    class Meta:
        constraints = [
            models.CheckConstraint(
                condition=models.Q(requests_per_minute__gte=1) & models.Q(images_per_minute__gte=1),
                name="orgs_apikey_rates_positive",
            ),
            models.CheckConstraint(
                condition=models.Q(
                    previous_lookup__isnull=True,
                    previous_digest__isnull=True,
                    previous_expires_at__isnull=True,
                )
                | models.Q(
                    previous_lookup__isnull=False,
                    previous_digest__isnull=False,
                    previous_expires_at__isnull=False,
                ),
                name="orgs_apikey_previous_whole",
            ),
        ]
        indexes = [models.Index(fields=["organization", "created_at"])]

    def __str__(self) -> str:
        return f"{self.name} ({self.lookup})"
