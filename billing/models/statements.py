"""Statements: what an organization's accounts saw in a month, frozen."""

from django.db import models
from django.db.models import Q

from core.ids import new_uuid


class Statement(models.Model):
    """One month of an organization's accounts, as it was told to the organization.

    It covers a range of the numbers that entries have on the wallet: from the one after the
    statement before (`from_seq`) to the last one booked before `ends_at` (`to_seq`), so that every
    entry is on exactly one statement. `content` is all it says (`billing.services.statements`),
    `digest` the SHA-256 of it, `head` the wallet's chain hash after `to_seq`. Triggers refuse any
    change. `number` counts an organization's statements from 1, without gaps.
    """

    id = models.UUIDField(primary_key=True, default=new_uuid, editable=False)
    organization = models.ForeignKey(
        "orgs.Organization", on_delete=models.PROTECT, related_name="+"
    )
    number = models.PositiveIntegerField()
    month = models.DateField()
    currency = models.CharField(max_length=3)
    starts_at = models.DateTimeField()
    ends_at = models.DateTimeField()
    from_seq = models.BigIntegerField()
    to_seq = models.BigIntegerField()
    head = models.BinaryField()
    opening_micros = models.BigIntegerField()
    closing_micros = models.BigIntegerField()
    content = models.JSONField()
    digest = models.BinaryField()
    issued_at = models.DateTimeField()

    class Meta:
        constraints = (
            models.UniqueConstraint(
                fields=("organization", "number"), name="billing_statement_number"
            ),
            models.UniqueConstraint(
                fields=("organization", "month"), name="billing_statement_month"
            ),
            models.CheckConstraint(
                condition=Q(number__gte=1)
                & Q(from_seq__gte=1)
                & Q(to_seq__gte=models.F("from_seq") - 1),
                name="billing_statement_range",
            ),
            models.CheckConstraint(
                condition=Q(ends_at__gt=models.F("starts_at")), name="billing_statement_period"
            ),
        )

    def __str__(self) -> str:
        return f"{self.month:%Y-%m} no. {self.number}"


class StatementDraft(models.Model):
    """What the next statement of an organization says of its oldest entries.

    Entries are numbered and never change, so this is added up once, and whoever shows the running
    month adds only what came since. `number` is the statement's, `to_seq` the last of the wallet's
    entries in it; `accounts` and `usage` are those of `billing.services.statements.drafts`. A
    statement itself is made of all its entries, never of this.
    """

    organization = models.OneToOneField(
        "orgs.Organization", on_delete=models.PROTECT, primary_key=True, related_name="+"
    )
    number = models.PositiveIntegerField()
    currency = models.CharField(max_length=3)
    to_seq = models.BigIntegerField()
    accounts = models.JSONField()
    usage = models.JSONField()
    made_at = models.DateTimeField()

    def __str__(self) -> str:
        return f"{self.organization_id} no. {self.number} up to {self.to_seq}"
