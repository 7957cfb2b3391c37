"""The tenant: every generation, key and amount of money belongs to one organization."""

from uuid import UUID

from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.utils import timezone

from core.ids import new_uuid


class Organization(models.Model):
    """A customer. Its UUID is the first folder of its image paths.

    Empty `allowed_models` and null limits and retentions restrict nothing. One whose deletion was
    requested is purged from `deletion_due_at` on; its row stays, as the ledger's customer.
    """

    class ImagePolicy(models.TextChoices):
        PUBLIC = "public", "Permanent public URLs"
        SIGNED = "signed", "Signed, expiring URLs"

    class Language(models.TextChoices):
        ENGLISH = "en", "English"
        SPANISH = "es", "Español"

    id = models.UUIDField(primary_key=True, default=new_uuid, editable=False)
    name = models.CharField(max_length=200)
    currency = models.CharField(max_length=3)
    time_zone = models.CharField(max_length=64, default="UTC")
    language = models.CharField(max_length=5, choices=Language, default=Language.ENGLISH)
    image_policy = models.CharField(max_length=10, choices=ImagePolicy, default=ImagePolicy.PUBLIC)
    default_model = models.CharField(max_length=100, blank=True)
    allowed_models = ArrayField(models.CharField(max_length=100), default=list, blank=True)
    allow_substitution = models.BooleanField(default=True)
    max_concurrent = models.PositiveIntegerField(null=True, blank=True)
    requests_per_minute = models.PositiveIntegerField(null=True, blank=True)
    images_per_minute = models.PositiveIntegerField(null=True, blank=True)
    image_retention_days = models.PositiveIntegerField(null=True, blank=True)
    prompt_retention_days = models.PositiveIntegerField(null=True, blank=True)
    developers_see_prompts = models.BooleanField(default=False)
    legal_name = models.CharField(max_length=200, blank=True)
    billing_address = models.TextField(max_length=1000, blank=True)
    billing_country = models.CharField(max_length=2, blank=True)
    tax_id = models.CharField(max_length=40, blank=True)
    billing_email = models.EmailField(blank=True)
    is_demo = models.BooleanField(default=False)
    suspended_at = models.DateTimeField(null=True, blank=True)
    suspension_reason = models.CharField(max_length=500, blank=True)
    deletion_requested_at = models.DateTimeField(null=True, blank=True)
    deletion_due_at = models.DateTimeField(null=True, blank=True)
    purged_at = models.DateTimeField(null=True, blank=True)
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
            models.CheckConstraint(
                condition=models.Q(language__in=["en", "es"]),
                name="orgs_organization_language_valid",
            ),
            models.CheckConstraint(
                condition=models.Q(image_retention_days__gte=1)
                & models.Q(prompt_retention_days__gte=1),
                name="orgs_organization_retentions_positive",
            ),
            models.CheckConstraint(
                condition=models.Q(billing_country__regex=r"^([A-Z]{2})?$"),
                name="orgs_organization_country_iso",
            ),
            models.CheckConstraint(
                condition=models.Q(
                    deletion_requested_at__isnull=True,
                    deletion_due_at__isnull=True,
                    purged_at__isnull=True,
                )
                | models.Q(deletion_requested_at__isnull=False, deletion_due_at__isnull=False),
                name="orgs_organization_deletion_whole",
            ),
        ]
        indexes = [
            models.Index(fields=["-created_at", "-id"], name="orgs_organization_newest"),
            models.Index(
                fields=["deletion_due_at"],
                condition=models.Q(deletion_due_at__isnull=False, purged_at__isnull=True),
                name="orgs_organization_to_purge",
            ),
        ]

    def __str__(self) -> str:
        return self.name

    @property
    def is_stopped(self) -> bool:
        """Return whether nothing more may be made for it: it is suspended, or to be deleted."""
        return self.suspended_at is not None or self.deletion_requested_at is not None


def lock_organization(organization_id: UUID) -> Organization | None:
    """Lock an organization's row until the transaction ends: one administrator at a time.

    What merely refers to the row, a generation being created, does not wait for it.
    """
    rows = Organization.objects.select_for_update(no_key=True)
    return rows.filter(id=organization_id).first()
