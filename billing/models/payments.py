"""Payments of organizations, and what a payment provider tells of them."""

from decimal import Decimal

from django.db import models
from django.db.models import F, Q

from billing.models.taxes import TaxBasis
from core.ids import new_uuid


class SavedCard(models.Model):
    """A card that a payment provider keeps for an organization; its number is never seen here."""

    id = models.UUIDField(primary_key=True, default=new_uuid, editable=False)
    organization = models.ForeignKey(
        "orgs.Organization", on_delete=models.PROTECT, related_name="+"
    )
    method_id = models.CharField(max_length=255, unique=True)
    brand = models.CharField(max_length=32, blank=True)
    last4 = models.CharField(max_length=4, blank=True)
    expires_month = models.PositiveSmallIntegerField(default=0)
    expires_year = models.PositiveSmallIntegerField(default=0)
    created_at = models.DateTimeField()
    removed_at = models.DateTimeField(null=True)

    def __str__(self) -> str:
        return f"{self.brand} {self.last4}"


class PaymentCustomer(models.Model):
    """What an organization is called at the payment provider."""

    organization = models.OneToOneField(
        "orgs.Organization", on_delete=models.PROTECT, primary_key=True, related_name="+"
    )
    customer_id = models.CharField(max_length=255, unique=True)

    def __str__(self) -> str:
        return self.customer_id


class Payment(models.Model):
    """Money from outside on its way into a wallet.

    `gross_micros` is what is paid: `net_micros` for the wallet and `tax_micros`. They, and the
    terms of the tax, are decided when the row is written and hold when the money comes.
    `reference` is the payment's id at its source: a payment intent, or what a bank transfer is
    called at the bank. A transfer, and unmatched money assigned to an organization, is asked for by
    one person of the platform and decided by another.
    """

    class Kind(models.TextChoices):
        CHECKOUT = "checkout"
        AUTOMATIC = "automatic"
        TRANSFER = "transfer"
        ASSIGNED = "assigned"

    class Status(models.TextChoices):
        PENDING = "pending"
        SUCCEEDED = "succeeded"
        FAILED = "failed"
        CANCELED = "canceled"

    id = models.UUIDField(primary_key=True, default=new_uuid, editable=False)
    organization = models.ForeignKey(
        "orgs.Organization", on_delete=models.PROTECT, related_name="+", db_index=False
    )
    kind = models.CharField(max_length=16, choices=Kind)
    status = models.CharField(max_length=16, choices=Status, default=Status.PENDING)
    gross_micros = models.BigIntegerField()
    net_micros = models.BigIntegerField()
    tax_micros = models.BigIntegerField(default=0)
    tax_basis = models.CharField(max_length=16, choices=TaxBasis, default=TaxBasis.UNKNOWN)
    tax_country = models.CharField(max_length=2, blank=True)
    tax_name = models.CharField(max_length=32, blank=True)
    tax_rate = models.DecimalField(max_digits=7, decimal_places=6, default=Decimal(0))
    tax_reason = models.CharField(max_length=255, blank=True)
    currency = models.CharField(max_length=3)
    is_sandbox = models.BooleanField(default=False)
    session_id = models.CharField(max_length=255, blank=True)
    reference = models.CharField(max_length=255, blank=True)
    note = models.CharField(max_length=500, blank=True)
    failure_code = models.CharField(max_length=64, blank=True)
    saves_card = models.BooleanField(default=False)
    card = models.ForeignKey(SavedCard, on_delete=models.PROTECT, null=True, related_name="+")
    card_brand = models.CharField(max_length=32, blank=True)
    card_last4 = models.CharField(max_length=4, blank=True)
    refunded_micros = models.BigIntegerField(default=0)
    requested_by = models.ForeignKey(
        "orgs.User", on_delete=models.PROTECT, null=True, related_name="+", db_index=False
    )
    decided_by = models.ForeignKey(
        "orgs.User", on_delete=models.PROTECT, null=True, related_name="+", db_index=False
    )
    received_at = models.DateTimeField(null=True)
    created_at = models.DateTimeField()
    ended_at = models.DateTimeField(null=True)

    class Meta:
        constraints = (
            models.CheckConstraint(
                condition=Q(
                    gross_micros=F("net_micros") + F("tax_micros"),
                    net_micros__gt=0,
                    tax_micros__gte=0,
                ),
                name="billing_payment_amounts",
            ),
            models.CheckConstraint(
                condition=Q(tax_basis="standard", tax_rate__gte=Decimal(0), tax_rate__lt=Decimal(1))
                | Q(
                    tax_basis__in=["exempt", "reverse_charge", "no_country", "no_rate", "unknown"],
                    tax_rate=Decimal(0),
                    tax_micros=0,
                ),
                name="billing_payment_tax",
            ),
            models.CheckConstraint(
                condition=Q(refunded_micros__gte=0, refunded_micros__lte=F("gross_micros")),
                name="billing_payment_refunded",
            ),
            models.CheckConstraint(
                condition=Q(kind__in=["checkout", "automatic", "transfer", "assigned"]),
                name="billing_payment_kind",
            ),
            models.CheckConstraint(
                condition=Q(status="pending", ended_at__isnull=True)
                | Q(status__in=["succeeded", "failed", "canceled"], ended_at__isnull=False),
                name="billing_payment_ended",
            ),
            models.CheckConstraint(
                condition=Q(kind__in=["checkout", "automatic"])
                | Q(requested_by__isnull=False, decided_by__isnull=True) & ~Q(status="succeeded")
                | Q(requested_by__isnull=False)
                & Q(decided_by__isnull=False)
                & ~Q(requested_by=F("decided_by")),
                name="billing_payment_four_eyes",
            ),
            models.UniqueConstraint(
                fields=("organization",),
                condition=Q(kind="automatic", status="pending"),
                name="billing_payment_one_in_flight",
            ),
            models.UniqueConstraint(
                fields=("session_id",), condition=~Q(session_id=""), name="billing_payment_session"
            ),
            # What was refused may be recorded again.
            models.UniqueConstraint(
                fields=("reference",),
                condition=~Q(reference="") & ~Q(status="canceled"),
                name="billing_payment_reference",
            ),
        )
        indexes = (
            models.Index(fields=("organization", "-created_at"), name="billing_payment_own"),
            models.Index(fields=("-created_at", "id"), name="billing_payment_newest"),
            models.Index(
                fields=("created_at",), condition=Q(status="pending"), name="billing_payment_open"
            ),
        )

    def __str__(self) -> str:
        return f"{self.kind} {self.gross_micros} {self.currency} {self.status}"


class PaymentEvent(models.Model):
    """An event of the payment provider, applied once: written with what it changed."""

    event_id = models.CharField(max_length=255, primary_key=True)
    type = models.CharField(max_length=100)
    object_id = models.CharField(max_length=255)
    digest = models.BinaryField()
    payment = models.ForeignKey(Payment, on_delete=models.PROTECT, null=True, related_name="events")
    applied_at = models.DateTimeField()

    def __str__(self) -> str:
        return f"{self.type} {self.event_id}"


class PaymentRefund(models.Model):
    """Money of a payment that was paid back. `failed` ones came back to us after all.

    `tax_micros` of `amount_micros` was the payment's tax.
    """

    class Status(models.TextChoices):
        BOOKED = "booked"
        FAILED = "failed"

    refund_id = models.CharField(max_length=255, primary_key=True)
    payment = models.ForeignKey(Payment, on_delete=models.PROTECT, related_name="refunds")
    amount_micros = models.BigIntegerField()
    tax_micros = models.BigIntegerField(default=0)
    status = models.CharField(max_length=16, choices=Status, default=Status.BOOKED)
    created_at = models.DateTimeField()

    class Meta:
        constraints = (
            models.CheckConstraint(
                condition=Q(amount_micros__gt=0, status__in=["booked", "failed"]),
                name="billing_paymentrefund_whole",
            ),
            models.CheckConstraint(
                condition=Q(tax_micros__gte=0, tax_micros__lte=F("amount_micros")),
                name="billing_paymentrefund_tax",
            ),
        )

    def __str__(self) -> str:
        return f"{self.refund_id} {self.amount_micros} {self.status}"


class Dispute(models.Model):
    """A payment that the holder of the card contests; its money is taken while it is open.

    `tax_micros` of `amount_micros` was the payment's tax.
    """

    class Status(models.TextChoices):
        OPEN = "open"
        WON = "won"
        LOST = "lost"

    dispute_id = models.CharField(max_length=255, primary_key=True)
    payment = models.ForeignKey(Payment, on_delete=models.PROTECT, related_name="disputes")
    amount_micros = models.BigIntegerField()
    tax_micros = models.BigIntegerField(default=0)
    status = models.CharField(max_length=16, choices=Status, default=Status.OPEN)
    reason = models.CharField(max_length=64, blank=True)
    opened_at = models.DateTimeField()
    closed_at = models.DateTimeField(null=True)

    class Meta:
        constraints = (
            models.CheckConstraint(
                condition=Q(amount_micros__gt=0)
                & (
                    Q(status="open", closed_at__isnull=True)
                    | Q(status__in=["won", "lost"], closed_at__isnull=False)
                ),
                name="billing_dispute_whole",
            ),
            models.CheckConstraint(
                condition=Q(tax_micros__gte=0, tax_micros__lte=F("amount_micros")),
                name="billing_dispute_tax",
            ),
        )

    def __str__(self) -> str:
        return f"{self.dispute_id} {self.amount_micros} {self.status}"


class UnmatchedPayment(models.Model):
    """Money that arrived and fits no payment of ours; finance says what becomes of it.

    `is_booked` ones stand on the platform's `suspense` account until they are resolved. What is to
    be assigned to an organization is a `Payment` that a second person approves.
    """

    class Status(models.TextChoices):
        OPEN = "open"
        ASSIGNING = "assigning"
        RESOLVED = "resolved"

    reference = models.CharField(max_length=255, primary_key=True)
    amount_micros = models.BigIntegerField()
    currency = models.CharField(max_length=3)
    reason = models.CharField(max_length=32)
    claim = models.CharField(max_length=255, blank=True)
    is_booked = models.BooleanField(default=False)
    status = models.CharField(max_length=16, choices=Status, default=Status.OPEN)
    note = models.CharField(max_length=500, blank=True)
    payment = models.ForeignKey(Payment, on_delete=models.PROTECT, null=True, related_name="+")
    resolved_by = models.ForeignKey(
        "orgs.User", on_delete=models.PROTECT, null=True, related_name="+"
    )
    created_at = models.DateTimeField()
    resolved_at = models.DateTimeField(null=True)

    class Meta:
        constraints = (
            models.CheckConstraint(
                condition=Q(status="resolved", resolved_at__isnull=False)
                | Q(status__in=["open", "assigning"], resolved_at__isnull=True),
                name="billing_unmatched_status",
            ),
        )
        indexes = (
            models.Index(
                fields=("created_at",),
                condition=~Q(status="resolved"),
                name="billing_unmatched_open",
            ),
        )

    def __str__(self) -> str:
        return f"{self.reference} {self.amount_micros} {self.currency} {self.status}"


class AutoTopUp(models.Model):
    """Whether, when and by which card an organization's wallet is filled by itself.

    `paused_at` is set by a charge that failed, and ends when somebody saves the terms again.
    """

    organization = models.OneToOneField(
        "orgs.Organization", on_delete=models.PROTECT, primary_key=True, related_name="+"
    )
    is_enabled = models.BooleanField(default=False)
    card = models.ForeignKey(SavedCard, on_delete=models.PROTECT, null=True, related_name="+")
    threshold_micros = models.BigIntegerField()
    amount_micros = models.BigIntegerField()
    monthly_cap_micros = models.BigIntegerField()
    paused_at = models.DateTimeField(null=True)
    failure_code = models.CharField(max_length=64, blank=True)
    changed_by = models.ForeignKey(
        "orgs.User", on_delete=models.PROTECT, null=True, related_name="+"
    )
    changed_at = models.DateTimeField()

    class Meta:
        constraints = (
            models.CheckConstraint(
                condition=Q(
                    threshold_micros__gt=0,
                    amount_micros__gt=0,
                    monthly_cap_micros__gte=F("amount_micros"),
                ),
                name="billing_autotopup_amounts",
            ),
            models.CheckConstraint(
                condition=Q(is_enabled=False) | Q(card__isnull=False),
                name="billing_autotopup_has_card",
            ),
        )

    def __str__(self) -> str:
        return f"{self.organization_id} below {self.threshold_micros}"
