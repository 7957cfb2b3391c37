"""Invoices of payments, and what corrects them."""

from decimal import Decimal

from django.db import models
from django.db.models import F, Q

from billing.models.payments import Payment
from billing.models.taxes import TaxBasis
from core.ids import new_uuid


class InvoiceSeries(models.Model):
    """Numbers of one year, counted without gaps; those of payments that move no money are apart."""

    name = models.CharField(max_length=16, primary_key=True)
    last = models.PositiveIntegerField()

    class Meta:
        constraints = (
            models.CheckConstraint(condition=Q(last__gte=1), name="billing_invoiceseries_last"),
        )

    def __str__(self) -> str:
        return f"{self.name} {self.last}"


class Invoice(models.Model):
    """What an organization was told of money that it paid, or that went back.

    Written with the entry that books it (`entry_key`), and refused any change. A `correction` takes
    back a part of the invoice it names; an invoice that names a correction takes that one back.
    Amounts are positive. `content` is all it says (`billing.services.invoices.content`), `digest`
    the SHA-256 of it. `effective_at` is the entry's.
    """

    class Kind(models.TextChoices):
        INVOICE = "invoice"
        CORRECTION = "correction"

    id = models.UUIDField(primary_key=True, default=new_uuid, editable=False)
    series = models.ForeignKey(
        InvoiceSeries, on_delete=models.PROTECT, related_name="+", db_index=False
    )
    number = models.PositiveIntegerField()
    kind = models.CharField(max_length=16, choices=Kind)
    organization = models.ForeignKey(
        "orgs.Organization", on_delete=models.PROTECT, related_name="+", db_index=False
    )
    payment = models.ForeignKey(Payment, on_delete=models.PROTECT, related_name="invoices")
    corrects = models.ForeignKey("self", on_delete=models.PROTECT, null=True, related_name="+")
    entry_key = models.CharField(max_length=255, unique=True)
    currency = models.CharField(max_length=3)
    net_micros = models.BigIntegerField()
    tax_micros = models.BigIntegerField()
    tax_basis = models.CharField(max_length=16, choices=TaxBasis)
    tax_country = models.CharField(max_length=2, blank=True)
    tax_name = models.CharField(max_length=32, blank=True)
    tax_rate = models.DecimalField(max_digits=7, decimal_places=6, default=Decimal(0))
    content = models.JSONField()
    digest = models.BinaryField()
    effective_at = models.DateTimeField()
    issued_at = models.DateTimeField()

    class Meta:
        constraints = (
            models.UniqueConstraint(fields=("series", "number"), name="billing_invoice_number"),
            models.CheckConstraint(
                condition=Q(number__gte=1, net_micros__gte=0, tax_micros__gte=0)
                & (Q(net_micros__gt=0) | Q(tax_micros__gt=0)),
                name="billing_invoice_amounts",
            ),
            models.CheckConstraint(
                condition=Q(kind="invoice") | Q(kind="correction", corrects__isnull=False),
                name="billing_invoice_corrects",
            ),
            models.CheckConstraint(condition=~Q(corrects=F("id")), name="billing_invoice_of_other"),
        )
        indexes = (
            models.Index(
                fields=("organization", "-issued_at", "-number"), name="billing_invoice_own"
            ),
            models.Index(fields=("effective_at", "id"), name="billing_invoice_effective"),
        )

    def __str__(self) -> str:
        return f"{self.series_id}-{self.number:06d}"
