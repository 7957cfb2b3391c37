"""Holds: money set aside for a generation before it runs."""

from decimal import Decimal

from django.db import models
from django.db.models import F, Q

from billing.models.accounts import Account
from billing.models.prices import Markup, PriceVersion
from billing.models.rates import FxRate, FxSpread


class HoldStatus(models.TextChoices):
    """A hold is authorized, then ends exactly once."""

    AUTHORIZED = "authorized"
    CAPTURED = "captured"
    RELEASED = "released"


class Hold(models.Model):
    """The terms a generation was authorized at, and how it ended.

    Everything the charge is made of is stored here, so that a capture multiplies and never quotes
    again. `promo_micros` of the amount are promotional credit (its parts, `GrantPart`), the rest is
    the wallet's. `digest` covers every other column but that one (`billing.digests.hold_digest`),
    which the database finds out; a trigger lets only the outcome and the digest change, and only
    while the hold is authorized.
    """

    id = models.UUIDField(primary_key=True, editable=False)
    organization = models.ForeignKey(
        "orgs.Organization", on_delete=models.PROTECT, related_name="+", db_index=False
    )
    account = models.ForeignKey(Account, on_delete=models.PROTECT, related_name="+", db_index=False)
    api_key = models.ForeignKey(
        "orgs.ApiKey", on_delete=models.PROTECT, null=True, related_name="+", db_index=False
    )
    reference = models.CharField(max_length=255, unique=True)
    amount_micros = models.BigIntegerField()
    promo_micros = models.BigIntegerField(default=0, db_default=0)
    unit_micros = models.BigIntegerField()
    list_unit_micros = models.BigIntegerField()
    count = models.PositiveSmallIntegerField()
    currency = models.CharField(max_length=3)
    price_version = models.ForeignKey(
        PriceVersion, on_delete=models.PROTECT, related_name="+", db_index=False
    )
    pixels = models.BigIntegerField()
    inputs = models.PositiveSmallIntegerField(default=0, db_default=0)
    list_amount = models.DecimalField(max_digits=36, decimal_places=16)
    list_currency = models.CharField(max_length=3)
    markup = models.DecimalField(max_digits=9, decimal_places=6)
    markup_version = models.ForeignKey(
        Markup, on_delete=models.PROTECT, null=True, related_name="+", db_index=False
    )
    rate = models.DecimalField(max_digits=20, decimal_places=10)
    fx_rate = models.ForeignKey(
        FxRate, on_delete=models.PROTECT, null=True, related_name="+", db_index=False
    )
    spread = models.DecimalField(
        max_digits=9, decimal_places=6, default=Decimal(0), db_default=Decimal(0)
    )
    spread_version = models.ForeignKey(
        FxSpread, on_delete=models.PROTECT, null=True, related_name="+", db_index=False
    )
    budget_period = models.DateField()
    deadline_at = models.DateTimeField()
    authorized_at = models.DateTimeField()
    status = models.CharField(max_length=16, choices=HoldStatus, default=HoldStatus.AUTHORIZED)
    captured_micros = models.BigIntegerField(default=0)
    captured_count = models.PositiveSmallIntegerField(default=0)
    closed_at = models.DateTimeField(null=True)
    digest = models.BinaryField()

    class Meta:
        constraints = (
            models.CheckConstraint(
                condition=Q(
                    amount_micros=F("unit_micros") * F("count"), unit_micros__gt=0, count__gt=0
                ),
                name="billing_hold_amount",
            ),
            models.CheckConstraint(
                condition=Q(promo_micros__gte=0, promo_micros__lte=F("amount_micros")),
                name="billing_hold_promo",
            ),
            models.CheckConstraint(
                condition=Q(
                    captured_micros=F("unit_micros") * F("captured_count"),
                    captured_count__lte=F("count"),
                ),
                name="billing_hold_captured_amount",
            ),
            models.CheckConstraint(
                condition=Q(status="authorized", captured_count=0, closed_at__isnull=True)
                | Q(status="captured", captured_count__gt=0, closed_at__isnull=False)
                | Q(status="released", captured_count=0, closed_at__isnull=False),
                name="billing_hold_status",
            ),
        )
        indexes = (
            models.Index(
                fields=("organization", "closed_at"),
                condition=Q(status="captured"),
                name="billing_hold_captures",
            ),
            models.Index(fields=("api_key", "authorized_at"), name="billing_hold_api_key"),
            models.Index(
                fields=("deadline_at",), condition=Q(status="authorized"), name="billing_hold_open"
            ),
        )

    def __str__(self) -> str:
        return f"{self.reference}: {self.status} {self.amount_micros} {self.currency}"
