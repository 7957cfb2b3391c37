"""Prices and markups: immutable rows, each in force from a date on."""

from decimal import Decimal

from django.db import models
from django.db.models import Q


class PriceKind(models.TextChoices):
    """`list` is what markup and FX apply to; `cost` is what a provider charges for a route."""

    LIST = "list"
    COST = "cost"


class PriceUnit(models.TextChoices):
    """What one price buys; `megapixel` scales with the delivered pixels.

    Costs are also per image sent along, and per million tokens of a kind.
    """

    IMAGE = "image"
    MEGAPIXEL = "megapixel"
    INPUT_IMAGE = "input_image"
    TEXT_IN_1M = "text_in_1m"
    IMAGE_IN_1M = "image_in_1m"
    CACHED_TEXT_IN_1M = "cached_text_in_1m"
    CACHED_IMAGE_IN_1M = "cached_image_in_1m"
    TEXT_OUT_1M = "text_out_1m"
    IMAGE_OUT_1M = "image_out_1m"


class PriceVersion(models.Model):
    """A price of a model at a size and quality (empty: any), from `active_from` on.

    The newest version that is active wins. A cost is of a `route`, whichever model it serves, and
    in the upstream's sizes and qualities; a list price is of a model. Per megapixel, an
    image costs `base_amount`, plus `amount` for each million pixels beyond `base_pixels`. Each
    image sent along to be edited adds `input_amount`.
    """

    kind = models.CharField(max_length=4, choices=PriceKind)
    price_book = models.CharField(max_length=64, default="platform")
    model_key = models.CharField(max_length=128)
    route = models.CharField(max_length=128, blank=True)
    size = models.CharField(max_length=32, blank=True)
    quality = models.CharField(max_length=32, blank=True)
    unit = models.CharField(max_length=32, choices=PriceUnit, default=PriceUnit.IMAGE)
    amount = models.DecimalField(max_digits=20, decimal_places=10)
    base_amount = models.DecimalField(max_digits=20, decimal_places=10, default=Decimal(0))
    base_pixels = models.PositiveIntegerField(default=0)
    input_amount = models.DecimalField(
        max_digits=20, decimal_places=10, default=Decimal(0), db_default=Decimal(0)
    )
    currency = models.CharField(max_length=3)
    source = models.CharField(max_length=255)
    source_date = models.DateField()
    active_from = models.DateTimeField()
    created_at = models.DateTimeField()
    created_by = models.CharField(max_length=255, blank=True)

    class Meta:
        constraints = (
            models.UniqueConstraint(
                fields=(
                    "kind",
                    "model_key",
                    "price_book",
                    "route",
                    "size",
                    "quality",
                    "unit",
                    "currency",
                    "source",
                    "active_from",
                ),
                name="billing_price_unique",
            ),
            models.CheckConstraint(
                condition=Q(kind__in=PriceKind.values), name="billing_price_kind"
            ),
            models.CheckConstraint(
                condition=Q(unit__in=PriceUnit.values), name="billing_price_unit"
            ),
            models.CheckConstraint(
                condition=Q(amount__gt=Decimal(0)) | Q(kind="cost", amount=Decimal(0)),
                name="billing_price_amount",
            ),
            models.CheckConstraint(
                condition=Q(base_amount=Decimal(0), base_pixels=0)
                | Q(unit="megapixel", base_amount__gt=Decimal(0)),
                name="billing_price_base",
            ),
            models.CheckConstraint(
                condition=Q(input_amount__gte=Decimal(0)), name="billing_price_input_amount"
            ),
            models.CheckConstraint(
                condition=Q(kind="cost") | Q(route="", unit__in=("image", "megapixel")),
                name="billing_price_list_per_image",
            ),
            models.CheckConstraint(
                condition=~Q(kind="cost") | (~Q(route="") & Q(model_key="", currency="USD")),
                name="billing_price_cost_of_route",
            ),
        )

    def __str__(self) -> str:
        return f"{self.kind} {self.model_key} {self.amount} {self.currency}"


class MarkupScope(models.TextChoices):
    """What a markup applies to; an organization's wins over a model's, that over the platform's."""

    PLATFORM = "platform"
    MODEL = "model"
    ORGANIZATION = "organization"


class Markup(models.Model):
    """A fraction added to list prices (0.05 is five percent), from `active_from` on.

    Without a rate, what it applies to has no markup of its own any more: the next one counts.
    """

    scope = models.CharField(max_length=16, choices=MarkupScope)
    organization = models.ForeignKey(
        "orgs.Organization", on_delete=models.PROTECT, null=True, related_name="+"
    )
    model_key = models.CharField(max_length=128, blank=True)
    rate = models.DecimalField(max_digits=9, decimal_places=6, null=True)
    active_from = models.DateTimeField()
    created_at = models.DateTimeField()
    created_by = models.CharField(max_length=255, blank=True)

    class Meta:
        constraints = (
            models.CheckConstraint(
                condition=Q(scope="platform", organization__isnull=True, model_key="")
                | (Q(scope="model", organization__isnull=True) & ~Q(model_key=""))
                | Q(scope="organization", organization__isnull=False),
                name="billing_markup_scope",
            ),
            models.CheckConstraint(
                condition=Q(rate__gt=Decimal(-1)), name="billing_markup_above_minus_one"
            ),
            models.CheckConstraint(
                condition=Q(rate__isnull=False) | ~Q(scope="platform"),
                name="billing_markup_platform_has_one",
            ),
        )
        indexes = (
            models.Index(
                fields=("organization", "model_key", "active_from"), name="billing_markup_lookup"
            ),
        )

    def __str__(self) -> str:
        return f"{self.scope} {self.rate}"
