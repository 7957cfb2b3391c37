"""Closed months of the platform's books."""

from django.db import models
from django.db.models import Q


class PeriodClose(models.Model):
    """A month of UTC that is closed: no entry takes effect in it, or before it, any more.

    `content` is what the books said then (`billing.services.periods.books`), `digest` the SHA-256
    of it. Months are closed in order, without gaps; triggers refuse another order, any change, and
    entries effective in a closed month. There is no opening again. `closed_by` is null where a
    management command closed it.
    """

    month = models.DateField(primary_key=True)
    closed_at = models.DateTimeField()
    closed_by = models.ForeignKey(
        "orgs.User", on_delete=models.PROTECT, null=True, related_name="+", db_index=False
    )
    closed_by_label = models.CharField(max_length=254)
    content = models.JSONField()
    digest = models.BinaryField()

    class Meta:
        constraints = (
            models.CheckConstraint(condition=Q(month__day=1), name="billing_periodclose_month"),
        )

    def __str__(self) -> str:
        return f"{self.month:%Y-%m}"


class Revaluation(models.Model):
    """When the foreign currencies of a month were last brought to its closing rates."""

    month = models.DateField(primary_key=True)
    booked_at = models.DateTimeField()

    def __str__(self) -> str:
        return f"{self.month:%Y-%m}"
