"""What finance gives back or takes by hand: refunds of images, their credit notes, adjustments.

One person of finance asks, another decides. Triggers refuse any change but the decision.
"""

from django.db import models
from django.db.models import F, Q

from billing.models.journal import Direction
from core.ids import new_uuid


class Decision(models.TextChoices):
    """What became of something that was asked for; who asked may withdraw it."""

    PENDING = "pending"
    APPROVED = "approved"
    DECLINED = "declined"
    WITHDRAWN = "withdrawn"


_FOUR_EYES = (
    Q(status="pending", decided_by__isnull=True, decided_at__isnull=True)
    | Q(status="withdrawn", decided_by__isnull=True, decided_at__isnull=False)
    | Q(status__in=["approved", "declined"], decided_by__isnull=False, decided_at__isnull=False)
    & ~Q(decided_by=F("requested_by"))
)


class Refund(models.Model):
    """A request to give back what images of one generation were charged.

    `reference` is the generation's hold's. `amount_micros` sums up its images' (`RefundedImage`).
    """

    id = models.UUIDField(primary_key=True, default=new_uuid, editable=False)
    organization = models.ForeignKey(
        "orgs.Organization", on_delete=models.PROTECT, related_name="+"
    )
    reference = models.CharField(max_length=255, db_index=True)
    amount_micros = models.BigIntegerField()
    currency = models.CharField(max_length=3)
    reason = models.CharField(max_length=500)
    status = models.CharField(max_length=16, choices=Decision, default=Decision.PENDING)
    note = models.CharField(max_length=500, blank=True)
    requested_by = models.ForeignKey(
        "orgs.User", on_delete=models.PROTECT, related_name="+", db_index=False
    )
    decided_by = models.ForeignKey(
        "orgs.User", on_delete=models.PROTECT, null=True, related_name="+", db_index=False
    )
    created_at = models.DateTimeField(db_index=True)
    decided_at = models.DateTimeField(null=True)

    class Meta:
        constraints = (
            models.CheckConstraint(condition=_FOUR_EYES, name="billing_refund_four_eyes"),
            models.CheckConstraint(
                condition=Q(amount_micros__gt=0) & ~Q(reason=""), name="billing_refund_whole"
            ),
        )

    def __str__(self) -> str:
        return f"{self.reference} {self.amount_micros} {self.currency} {self.status}"


class RefundedImage(models.Model):
    """One image of a refund: its artifact, and what it was charged.

    `position` counts the images its generation was charged for, from 1. `is_dropped` ones are of a
    refund that was not approved; an image has one other at most.
    """

    refund = models.ForeignKey(Refund, on_delete=models.PROTECT, related_name="images")
    artifact = models.CharField(max_length=255)
    position = models.PositiveSmallIntegerField()
    amount_micros = models.BigIntegerField()
    is_dropped = models.BooleanField(default=False)

    class Meta:
        constraints = (
            models.UniqueConstraint(
                fields=("artifact",),
                condition=Q(is_dropped=False),
                name="billing_refundedimage_once",
            ),
            models.CheckConstraint(
                condition=Q(amount_micros__gt=0), name="billing_refundedimage_amount"
            ),
        )

    def __str__(self) -> str:
        return f"{self.artifact} {self.amount_micros}"


class CreditNote(models.Model):
    """What an approved refund is told to its organization with, numbered over the platform.

    Numbers count from 1 without gaps. `content` is all it says (`billing.services.refunds.notes`),
    `digest` the SHA-256 of it.
    """

    number = models.PositiveIntegerField(primary_key=True)
    refund = models.OneToOneField(Refund, on_delete=models.PROTECT, related_name="credit_note")
    organization = models.ForeignKey(
        "orgs.Organization", on_delete=models.PROTECT, related_name="+"
    )
    amount_micros = models.BigIntegerField()
    currency = models.CharField(max_length=3)
    content = models.JSONField()
    digest = models.BinaryField()
    issued_at = models.DateTimeField()

    class Meta:
        constraints = (
            models.CheckConstraint(condition=Q(number__gte=1), name="billing_creditnote_number"),
        )

    def __str__(self) -> str:
        return f"credit note {self.number}"


class Adjustment(models.Model):
    """A request to credit or debit an organization's wallet by hand."""

    id = models.UUIDField(primary_key=True, default=new_uuid, editable=False)
    organization = models.ForeignKey(
        "orgs.Organization", on_delete=models.PROTECT, related_name="+"
    )
    direction = models.CharField(max_length=6, choices=Direction)
    amount_micros = models.BigIntegerField()
    currency = models.CharField(max_length=3)
    reason = models.CharField(max_length=500)
    status = models.CharField(max_length=16, choices=Decision, default=Decision.PENDING)
    note = models.CharField(max_length=500, blank=True)
    requested_by = models.ForeignKey(
        "orgs.User", on_delete=models.PROTECT, related_name="+", db_index=False
    )
    decided_by = models.ForeignKey(
        "orgs.User", on_delete=models.PROTECT, null=True, related_name="+", db_index=False
    )
    created_at = models.DateTimeField(db_index=True)
    decided_at = models.DateTimeField(null=True)

    class Meta:
        constraints = (
            models.CheckConstraint(condition=_FOUR_EYES, name="billing_adjustment_four_eyes"),
            models.CheckConstraint(
                condition=Q(amount_micros__gt=0, direction__in=Direction.values) & ~Q(reason=""),
                name="billing_adjustment_whole",
            ),
        )

    def __str__(self) -> str:
        return f"{self.direction} {self.amount_micros} {self.currency} {self.status}"
