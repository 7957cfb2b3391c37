"""What image providers say they are owed, beside what was booked; and what they were paid."""

from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models import F, Q

from core.ids import new_uuid


class ProviderImport(models.Model):
    """A file of a provider's usage or invoice, for a period of days of UTC, both included.

    `unit` is what its counts are of. The same file is imported once (`digest` is its SHA-256).
    """

    class Unit(models.TextChoices):
        REQUESTS = "requests"
        IMAGES = "images"
        NONE = "none"

    id = models.UUIDField(primary_key=True, default=new_uuid, editable=False)
    provider = models.CharField(max_length=20)
    file_name = models.CharField(max_length=200)
    digest = models.BinaryField(unique=True)
    unit = models.CharField(max_length=10, choices=Unit)
    first_day = models.DateField()
    last_day = models.DateField()
    lines = models.PositiveIntegerField()
    micros = models.BigIntegerField()
    imported_by = models.ForeignKey(
        "orgs.User", on_delete=models.PROTECT, related_name="+", db_index=False
    )
    imported_at = models.DateTimeField()

    class Meta:
        constraints = (
            models.CheckConstraint(
                condition=Q(last_day__gte=F("first_day")), name="billing_providerimport_period"
            ),
        )
        indexes = (
            models.Index(fields=("-imported_at", "id"), name="billing_providerimport_newest"),
        )

    def __str__(self) -> str:
        return f"{self.provider} {self.file_name}"


class ProviderLine(models.Model):
    """One line of such a file: what was charged on a day for a model, in micros of USD."""

    source = models.ForeignKey(ProviderImport, on_delete=models.CASCADE, related_name="rows")
    number = models.PositiveIntegerField()
    day = models.DateField()
    model = models.CharField(max_length=150)
    upstream_id = models.CharField(max_length=200, blank=True)
    count = models.PositiveIntegerField()
    micros = models.BigIntegerField()

    class Meta:
        indexes = (
            models.Index(
                fields=("upstream_id",),
                condition=~Q(upstream_id=""),
                name="billing_providerline_id",
            ),
        )

    def __str__(self) -> str:
        return f"{self.source_id}:{self.number}"


class ProviderDifference(models.Model):
    """A day and model of which a provider says something else than our books.

    One person of finance proposes to accept it, another approves, and a true-up entry is booked;
    or it is contested with the provider, which books nothing. `upstream_ids` are those that were
    charged more than once.
    """

    class Kind(models.TextChoices):
        MISSING_HERE = "missing_here"
        MISSING_THERE = "missing_there"
        DUPLICATE = "duplicate"
        MORE = "more"
        FEWER = "fewer"
        AMOUNT = "amount"
        SHIFTED = "shifted"

    class Status(models.TextChoices):
        OPEN = "open"
        PROPOSED = "proposed"
        ACCEPTED = "accepted"
        CONTESTED = "contested"
        EXPLAINED = "explained"

    id = models.UUIDField(primary_key=True, default=new_uuid, editable=False)
    source = models.ForeignKey(
        ProviderImport, on_delete=models.CASCADE, related_name="differences", db_index=False
    )
    day = models.DateField()
    model = models.CharField(max_length=150)
    kind = models.CharField(max_length=16, choices=Kind)
    our_count = models.PositiveIntegerField()
    our_micros = models.BigIntegerField()
    their_count = models.PositiveIntegerField()
    their_micros = models.BigIntegerField()
    upstream_ids = ArrayField(models.CharField(max_length=200), default=list)
    status = models.CharField(max_length=16, choices=Status, default=Status.OPEN)
    reason = models.CharField(max_length=500, blank=True)
    asked_by = models.ForeignKey(
        "orgs.User", on_delete=models.PROTECT, null=True, related_name="+", db_index=False
    )
    decided_by = models.ForeignKey(
        "orgs.User", on_delete=models.PROTECT, null=True, related_name="+", db_index=False
    )
    decided_at = models.DateTimeField(null=True)

    class Meta:
        constraints = (
            models.UniqueConstraint(
                fields=("source", "day", "model"), name="billing_providerdifference_once"
            ),
            models.CheckConstraint(
                condition=~Q(status="accepted")
                | (
                    Q(asked_by__isnull=False, decided_by__isnull=False)
                    & ~Q(asked_by=F("decided_by"))
                ),
                name="billing_providerdifference_four_eyes",
            ),
            models.CheckConstraint(
                condition=~Q(status__in=("proposed", "accepted", "contested")) | ~Q(reason=""),
                name="billing_providerdifference_reason",
            ),
        )

    def __str__(self) -> str:
        return f"{self.day} {self.model} {self.kind}"

    @property
    def micros(self) -> int:
        """Return what the provider says more than our books, in micros of USD."""
        return self.their_micros - self.our_micros


class ProviderPayment(models.Model):
    """Money paid to a provider, in micros of USD; `reference` is what the bank calls it."""

    id = models.UUIDField(primary_key=True, default=new_uuid, editable=False)
    provider = models.CharField(max_length=20)
    micros = models.BigIntegerField()
    reference = models.CharField(max_length=255)
    paid_on = models.DateField()
    recorded_by = models.ForeignKey(
        "orgs.User", on_delete=models.PROTECT, related_name="+", db_index=False
    )
    recorded_at = models.DateTimeField()

    class Meta:
        constraints = (
            models.CheckConstraint(condition=Q(micros__gt=0), name="billing_providerpayment_more"),
            models.UniqueConstraint(
                fields=("provider", "reference"), name="billing_providerpayment_once"
            ),
        )

    def __str__(self) -> str:
        return f"{self.provider} {self.reference}"


class Payout(models.Model):
    """Money that a payment provider sent to the bank, in micros of `currency`.

    `gross_micros` is what left our balance there: `fee_micros` were kept, the rest arrived.
    """

    reference = models.CharField(max_length=255, primary_key=True)
    currency = models.CharField(max_length=3)
    gross_micros = models.BigIntegerField()
    fee_micros = models.BigIntegerField()
    arrived_on = models.DateField()
    recorded_by = models.ForeignKey(
        "orgs.User", on_delete=models.PROTECT, related_name="+", db_index=False
    )
    recorded_at = models.DateTimeField()

    class Meta:
        constraints = (
            models.CheckConstraint(
                condition=Q(fee_micros__gte=0, gross_micros__gt=F("fee_micros")),
                name="billing_payout_amounts",
            ),
        )

    def __str__(self) -> str:
        return self.reference


class ProviderWaiver(models.Model):
    """Somebody of finance says that a provider's month need not be reconciled, and why."""

    pk = models.CompositePrimaryKey("provider", "month")
    provider = models.CharField(max_length=20)
    month = models.DateField()
    reason = models.CharField(max_length=500)
    waived_by = models.ForeignKey(
        "orgs.User", on_delete=models.PROTECT, related_name="+", db_index=False
    )
    waived_at = models.DateTimeField()

    def __str__(self) -> str:
        return f"{self.provider} {self.month:%Y-%m}"
