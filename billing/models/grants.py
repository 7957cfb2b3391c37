"""Promotional credit: what was given to an organization, and what of it each hold takes."""

from django.db import models
from django.db.models import F, Q

from billing.models.accounts import Account
from billing.models.holds import Hold
from core.ids import new_uuid


class Grant(models.Model):
    """Promotional credit given to an organization, to be spent until an instant.

    One person of finance asks for it and another decides; one that a command gave has neither.
    What is neither held, captured nor expired is unspent. `digest` covers the terms and the
    decision (`billing.digests.grant_digest`); a trigger fixes the terms, and a decision that is
    made.
    """

    class Status(models.TextChoices):
        PENDING = "pending"
        GRANTED = "granted"
        REJECTED = "rejected"

    id = models.UUIDField(primary_key=True, default=new_uuid, editable=False)
    organization = models.ForeignKey(
        "orgs.Organization", on_delete=models.PROTECT, related_name="+", db_index=False
    )
    account = models.ForeignKey(Account, on_delete=models.PROTECT, related_name="+", db_index=False)
    amount_micros = models.BigIntegerField()
    currency = models.CharField(max_length=3)
    expires_at = models.DateTimeField()
    reason = models.CharField(max_length=500)
    status = models.CharField(max_length=16, choices=Status, default=Status.PENDING)
    requested_by = models.ForeignKey(
        "orgs.User", on_delete=models.PROTECT, null=True, related_name="+", db_index=False
    )
    decided_by = models.ForeignKey(
        "orgs.User", on_delete=models.PROTECT, null=True, related_name="+", db_index=False
    )
    created_at = models.DateTimeField()
    decided_at = models.DateTimeField(null=True)
    held_micros = models.BigIntegerField(default=0)
    captured_micros = models.BigIntegerField(default=0)
    expired_micros = models.BigIntegerField(default=0)
    digest = models.BinaryField()

    class Meta:
        constraints = (
            models.CheckConstraint(
                condition=Q(
                    amount_micros__gt=0,
                    held_micros__gte=0,
                    captured_micros__gte=0,
                    expired_micros__gte=0,
                    amount_micros__gte=F("held_micros")
                    + F("captured_micros")
                    + F("expired_micros"),
                ),
                name="billing_grant_unspent",
            ),
            models.CheckConstraint(
                condition=Q(status="granted", decided_at__isnull=False)
                | Q(status="pending", decided_at__isnull=True, held_micros=0, captured_micros=0)
                & Q(expired_micros=0)
                | Q(status="rejected", decided_at__isnull=False, held_micros=0, captured_micros=0)
                & Q(expired_micros=0),
                name="billing_grant_status",
            ),
            models.CheckConstraint(
                condition=Q(requested_by__isnull=True, decided_by__isnull=True, status="granted")
                | Q(requested_by__isnull=False, decided_by__isnull=True) & ~Q(status="granted")
                | Q(requested_by__isnull=False, decided_by__isnull=False)
                & ~Q(requested_by=F("decided_by")),
                name="billing_grant_four_eyes",
            ),
            models.CheckConstraint(
                condition=Q(expires_at__gt=F("created_at")) & ~Q(reason=""),
                name="billing_grant_terms",
            ),
        )
        indexes = (
            # What a hold looks for.
            models.Index(fields=("account", "expires_at"), name="billing_grant_own"),
            # What may have to expire.
            models.Index(
                fields=("expires_at",),
                condition=Q(
                    status="granted", amount_micros__gt=F("captured_micros") + F("expired_micros")
                ),
                name="billing_grant_open",
            ),
            models.Index(fields=("-created_at", "id"), name="billing_grant_newest"),
        )

    def __str__(self) -> str:
        return f"{self.amount_micros} {self.currency} until {self.expires_at}: {self.status}"

    @property
    def unspent_micros(self) -> int:
        """Return what may still be set aside, or has to expire."""
        return self.amount_micros - self.held_micros - self.captured_micros - self.expired_micros


class GrantPart(models.Model):
    """What a hold set aside of a grant, what its capture took of that, and what refunds gave back.

    The grant's own `captured_micros` is without what was given back, which can be spent again.
    """

    hold = models.ForeignKey(Hold, on_delete=models.PROTECT, related_name="parts", db_index=False)
    grant = models.ForeignKey(Grant, on_delete=models.PROTECT, related_name="parts")
    amount_micros = models.BigIntegerField()
    captured_micros = models.BigIntegerField(default=0)
    refunded_micros = models.BigIntegerField(default=0)

    class Meta:
        constraints = (
            models.UniqueConstraint(fields=("hold", "grant"), name="billing_grantpart_unique"),
            models.CheckConstraint(
                condition=Q(
                    amount_micros__gt=0,
                    refunded_micros__gte=0,
                    captured_micros__gte=F("refunded_micros"),
                    captured_micros__lte=F("amount_micros"),
                ),
                name="billing_grantpart_amounts",
            ),
        )

    def __str__(self) -> str:
        return f"{self.amount_micros} of {self.grant_id} for {self.hold_id}"
