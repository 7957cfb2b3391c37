"""Quotes: prices that were promised for ten minutes."""

from decimal import Decimal

from django.db import models
from django.db.models import F, Q

from core.ids import new_uuid
from gateway.models.generation import Generation


class Quote(models.Model):
    """The price of one request, and everything it is made of.

    `model_key`, `size`, `quality`, `count` and `inputs` are the price inputs: a request has to
    match them all to be charged this price. The other terms are those of a hold, which takes them
    over. A quote is used by one generation; where that fails for a reason that may pass, it is
    given back.
    """

    id = models.UUIDField(primary_key=True, default=new_uuid, editable=False)
    organization = models.ForeignKey("orgs.Organization", on_delete=models.PROTECT, db_index=False)
    livemode = models.BooleanField()
    model_key = models.CharField(max_length=128)
    size = models.CharField(max_length=32)
    quality = models.CharField(max_length=32, blank=True)
    count = models.PositiveSmallIntegerField()
    inputs = models.PositiveSmallIntegerField(default=0, db_default=0)

    currency = models.CharField(max_length=3)
    unit_micros = models.BigIntegerField()
    list_unit_micros = models.BigIntegerField()
    price_version = models.ForeignKey(
        "billing.PriceVersion", on_delete=models.PROTECT, related_name="+", db_index=False
    )
    pixels = models.BigIntegerField()
    list_amount = models.DecimalField(max_digits=36, decimal_places=16)
    list_currency = models.CharField(max_length=3)
    markup = models.DecimalField(max_digits=9, decimal_places=6)
    markup_version = models.ForeignKey(
        "billing.Markup", on_delete=models.PROTECT, null=True, related_name="+", db_index=False
    )
    rate = models.DecimalField(max_digits=20, decimal_places=10)
    fx_rate = models.ForeignKey(
        "billing.FxRate", on_delete=models.PROTECT, null=True, related_name="+", db_index=False
    )
    spread = models.DecimalField(
        max_digits=9, decimal_places=6, default=Decimal(0), db_default=Decimal(0)
    )
    spread_version = models.ForeignKey(
        "billing.FxSpread", on_delete=models.PROTECT, null=True, related_name="+", db_index=False
    )

    created_at = models.DateTimeField()
    expires_at = models.DateTimeField(db_index=True)
    used_at = models.DateTimeField(null=True)
    generation = models.ForeignKey(
        Generation, on_delete=models.CASCADE, null=True, related_name="quotes"
    )

    class Meta:
        constraints = [
            models.CheckConstraint(
                condition=Q(unit_micros__gt=0, list_unit_micros__gt=0, count__gt=0),
                name="gateway_quote_positive",
            ),
            models.CheckConstraint(
                condition=Q(expires_at__gt=F("created_at")), name="gateway_quote_expires_later"
            ),
            models.CheckConstraint(
                condition=Q(used_at__isnull=True, generation__isnull=True)
                | Q(used_at__isnull=False, generation__isnull=False),
                name="gateway_quote_used_by_a_generation",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.id} {self.count} x {self.unit_micros} {self.currency}"
