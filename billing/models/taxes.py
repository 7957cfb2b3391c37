"""Taxes: rates of countries, and how an organization is taxed; rows that never change."""

from decimal import Decimal

from django.db import models
from django.db.models import Q


class TaxTreatment(models.TextChoices):
    """How finance says that an organization is taxed."""

    STANDARD = "standard"
    EXEMPT = "exempt"
    REVERSE_CHARGE = "reverse_charge"


class TaxBasis(models.TextChoices):
    """Why a payment bears the tax that it bears; only `standard` bears any.

    `unknown` payments are older than taxes here.
    """

    STANDARD = "standard"
    EXEMPT = "exempt"
    REVERSE_CHARGE = "reverse_charge"
    NO_COUNTRY = "no_country"
    NO_RATE = "no_rate"
    UNKNOWN = "unknown"


class TaxRate(models.Model):
    """What a country's tax is called and how much it is, from `active_from` on.

    `rate` is a fraction (0.16 is 16 percent); 0 ends the tax of a country.
    """

    country = models.CharField(max_length=2)
    name = models.CharField(max_length=32)
    rate = models.DecimalField(max_digits=7, decimal_places=6)
    active_from = models.DateTimeField()
    created_at = models.DateTimeField()
    created_by = models.CharField(max_length=255, blank=True)

    class Meta:
        constraints = (
            models.CheckConstraint(
                condition=Q(country__regex=r"^[A-Z]{2}$") & ~Q(name=""),
                name="billing_taxrate_whole",
            ),
            models.CheckConstraint(
                condition=Q(rate__gte=Decimal(0), rate__lt=Decimal(1)), name="billing_taxrate_range"
            ),
        )
        indexes = (
            models.Index(fields=("country", "-active_from", "-id"), name="billing_taxrate_newest"),
        )

    def __str__(self) -> str:
        return f"{self.country} {self.name} {self.rate}"


class TaxProfile(models.Model):
    """How an organization is taxed, as finance said last; without a row it is `standard`.

    Country and tax id are the billing profile's. An exemption has a reason.
    """

    organization = models.ForeignKey(
        "orgs.Organization", on_delete=models.PROTECT, related_name="+", db_index=False
    )
    treatment = models.CharField(max_length=16, choices=TaxTreatment)
    reason = models.CharField(max_length=255, blank=True)
    created_at = models.DateTimeField()
    created_by = models.CharField(max_length=255, blank=True)

    class Meta:
        constraints = (
            models.CheckConstraint(
                condition=Q(treatment__in=["standard", "reverse_charge"])
                | Q(treatment="exempt") & ~Q(reason=""),
                name="billing_taxprofile_whole",
            ),
        )
        indexes = (models.Index(fields=("organization", "-id"), name="billing_taxprofile_newest"),)

    def __str__(self) -> str:
        return f"{self.organization_id} {self.treatment}"
