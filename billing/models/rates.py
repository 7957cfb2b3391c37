"""Exchange rates and spreads: immutable rows; and rates that wait for a decision."""

from decimal import Decimal

from django.db import models
from django.db.models import F, Q

MANUAL = "manual"


class FxRate(models.Model):
    """Units of `quote` for one unit of `base`, as of an instant, from a named source.

    A rate that its source does not publish itself names what it was made of: the rates of a third
    currency to `base` and to `quote` (one of them where the third currency is the other side). Only
    a manual rate has an end; it is in force until then, before any source.
    """

    base = models.CharField(max_length=3)
    quote = models.CharField(max_length=3)
    rate = models.DecimalField(max_digits=20, decimal_places=10)
    source = models.CharField(max_length=64)
    as_of = models.DateTimeField()
    valid_until = models.DateTimeField(null=True)
    base_leg = models.ForeignKey(
        "self", on_delete=models.PROTECT, null=True, related_name="+", db_index=False
    )
    quote_leg = models.ForeignKey(
        "self", on_delete=models.PROTECT, null=True, related_name="+", db_index=False
    )
    reason = models.CharField(max_length=255, blank=True, db_default="")
    created_at = models.DateTimeField()
    created_by = models.CharField(max_length=255, blank=True, db_default="")

    class Meta:
        constraints = (
            models.CheckConstraint(condition=Q(rate__gt=Decimal(0)), name="billing_fx_positive"),
            # What a source says of a day is recorded once.
            models.UniqueConstraint(
                fields=("source", "base", "quote", "as_of"),
                condition=~Q(source=MANUAL),
                name="billing_fx_once",
            ),
            models.CheckConstraint(
                condition=Q(valid_until__isnull=True)
                | Q(source=MANUAL, valid_until__gte=F("as_of")),
                name="billing_fx_validity",
            ),
        )
        indexes = (
            models.Index(
                fields=("base", "quote", "source", "-as_of", "-id"), name="billing_fx_newest"
            ),
        )

    def __str__(self) -> str:
        return f"{self.base}/{self.quote} {self.rate}"


class FxSpread(models.Model):
    """A fraction added to exchange rates (0.01 is one percent), from `active_from` on.

    Of an organization or of all, for one pair or, with `base` and `quote` empty, for all.
    """

    organization = models.ForeignKey(
        "orgs.Organization", on_delete=models.PROTECT, null=True, related_name="+"
    )
    base = models.CharField(max_length=3, blank=True)
    quote = models.CharField(max_length=3, blank=True)
    rate = models.DecimalField(max_digits=9, decimal_places=6)
    active_from = models.DateTimeField()
    created_at = models.DateTimeField()
    created_by = models.CharField(max_length=255, blank=True)

    class Meta:
        constraints = (
            models.CheckConstraint(
                condition=Q(rate__gte=Decimal(0), rate__lt=Decimal(1)), name="billing_spread_range"
            ),
            models.CheckConstraint(
                condition=Q(base="", quote="") | ~(Q(base="") | Q(quote="")),
                name="billing_spread_pair",
            ),
        )

    def __str__(self) -> str:
        return f"{self.base}/{self.quote} {self.rate}"


class CandidateStatus(models.TextChoices):
    """`waiting` for somebody to propose it, `proposed` until somebody else decides."""

    WAITING = "waiting"
    PROPOSED = "proposed"
    APPROVED = "approved"
    REJECTED = "rejected"


class RateCandidate(models.Model):
    """A rate kept aside because it is too far from the one before; never charged by as such.

    People are named by id and by what they were called then. Who proposes it never approves it.
    """

    base = models.CharField(max_length=3)
    quote = models.CharField(max_length=3)
    rate = models.DecimalField(max_digits=20, decimal_places=10)
    source = models.CharField(max_length=64)
    as_of = models.DateTimeField()
    valid_until = models.DateTimeField(null=True)
    previous = models.ForeignKey(FxRate, on_delete=models.PROTECT, related_name="+")
    created_at = models.DateTimeField()
    status = models.CharField(
        max_length=16, choices=CandidateStatus, default=CandidateStatus.WAITING
    )
    reason = models.CharField(max_length=255, blank=True)
    proposed_by = models.UUIDField(null=True)
    proposed_by_label = models.CharField(max_length=255, blank=True)
    proposed_at = models.DateTimeField(null=True)
    decided_by = models.UUIDField(null=True)
    decided_by_label = models.CharField(max_length=255, blank=True)
    decided_at = models.DateTimeField(null=True)
    fx_rate = models.OneToOneField(FxRate, on_delete=models.PROTECT, null=True, related_name="+")

    class Meta:
        constraints = (
            models.CheckConstraint(
                condition=Q(status__in=("waiting", "rejected"))
                | Q(proposed_by__isnull=False, proposed_at__isnull=False),
                name="billing_candidate_proposed",
            ),
            models.CheckConstraint(
                condition=Q(status="approved", fx_rate__isnull=False, decided_by__isnull=False)
                | (~Q(status="approved") & Q(fx_rate__isnull=True)),
                name="billing_candidate_approved",
            ),
            models.CheckConstraint(
                condition=~Q(status="approved") | ~Q(decided_by=F("proposed_by")),
                name="billing_candidate_four_eyes",
            ),
            models.UniqueConstraint(
                fields=("source", "base", "quote", "as_of"),
                condition=~Q(source=MANUAL),
                name="billing_candidate_once",
            ),
        )

    def __str__(self) -> str:
        return f"{self.base}/{self.quote} {self.rate} {self.status}"
