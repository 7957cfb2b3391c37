"""The tenant: every generation, key and amount of money belongs to one organization."""

from django.db import models
from django.utils import timezone

from core.ids import new_uuid


class Organization(models.Model):
    """A customer. Its UUID is the first folder of its image paths."""

    class ImagePolicy(models.TextChoices):
        PUBLIC = "public", "Permanent public URLs"
        SIGNED = "signed", "Signed, expiring URLs"

    id = models.UUIDField(primary_key=True, default=new_uuid, editable=False)
    name = models.CharField(max_length=200)
    currency = models.CharField(max_length=3)
    time_zone = models.CharField(max_length=64, default="UTC")
    image_policy = models.CharField(max_length=10, choices=ImagePolicy, default=ImagePolicy.PUBLIC)
    default_model = models.CharField(max_length=100, blank=True)
    allow_substitution = models.BooleanField(default=True)
    max_concurrent = models.PositiveIntegerField(null=True, blank=True)
    requests_per_minute = models.PositiveIntegerField(null=True, blank=True)
    images_per_minute = models.PositiveIntegerField(null=True, blank=True)
    is_demo = models.BooleanField(default=False)
    suspended_at = models.DateTimeField(null=True, blank=True)
    created_at = models.DateTimeField(default=timezone.now, editable=False)

    class Meta:
        constraints = [
            models.CheckConstraint(
                condition=models.Q(currency__regex=r"^[A-Z]{3}$"),
                name="orgs_organization_currency_iso",
            ),
            models.CheckConstraint(
                condition=models.Q(image_policy__in=["public", "signed"]),
                name="orgs_organization_image_policy_valid",
            ),
            models.CheckConstraint(
                condition=models.Q(allow_substitution=True) | ~models.Q(default_model=""),
                name="orgs_organization_default_model_named",
            ),
            models.CheckConstraint(
                condition=models.Q(requests_per_minute__gte=1) & models.Q(images_per_minute__gte=1),
                name="orgs_organization_rates_positive",
            ),
        ]

    def __str__(self) -> str:
        return self.name
