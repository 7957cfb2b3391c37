"""Monthly budgets of organizations and keys."""

from django.db import models
from django.db.models import Q


class Budget(models.Model):
    """A monthly limit, in the wallet's currency; null means no limit.

    One row for the organization (`api_key` null) and one for each key that has spent: they exist
    from the start, so that a limit set later counts what the month has already seen.
    """

    organization = models.ForeignKey(
        "orgs.Organization", on_delete=models.PROTECT, related_name="+", db_index=False
    )
    api_key = models.ForeignKey(
        "orgs.ApiKey", on_delete=models.PROTECT, null=True, related_name="+", db_index=False
    )
    limit_micros = models.BigIntegerField(null=True)

    class Meta:
        constraints = (
            models.UniqueConstraint(
                fields=("organization", "api_key"),
                nulls_distinct=False,
                name="billing_budget_unique",
            ),
            models.CheckConstraint(
                condition=Q(limit_micros__isnull=True) | Q(limit_micros__gte=0),
                name="billing_budget_limit",
            ),
        )
        indexes = (
            # Those of which alerts may be due.
            models.Index(
                fields=("organization",),
                condition=Q(limit_micros__gt=0),
                name="billing_budget_limited",
            ),
        )

    def __str__(self) -> str:
        return f"{self.api_key_id or self.organization_id}: {self.limit_micros}"


class BudgetPeriod(models.Model):
    """What one budget has seen in one month of the organization's time zone."""

    budget = models.ForeignKey(
        Budget, on_delete=models.PROTECT, related_name="periods", db_index=False
    )
    period = models.DateField()
    held_micros = models.BigIntegerField(default=0)
    captured_micros = models.BigIntegerField(default=0)

    class Meta:
        constraints = (
            models.UniqueConstraint(
                fields=("budget", "period"), name="billing_budgetperiod_unique"
            ),
            models.CheckConstraint(
                condition=Q(held_micros__gte=0, captured_micros__gte=0),
                name="billing_budgetperiod_positive",
            ),
        )

    def __str__(self) -> str:
        return f"{self.budget_id} {self.period}"
