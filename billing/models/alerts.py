"""Lines below which a balance is low, and what was told of budgets."""

from django.db import models
from django.db.models import Q

from billing.models.budgets import Budget


class BalanceAlert(models.Model):
    """When an organization wants to be told that its balance is low.

    `fired_at` is set while what is available is below the line and has been told of, so that each
    crossing is told of once.
    """

    organization = models.OneToOneField(
        "orgs.Organization", on_delete=models.CASCADE, primary_key=True, related_name="+"
    )
    below_micros = models.BigIntegerField()
    fired_at = models.DateTimeField(null=True)

    class Meta:
        constraints = (
            models.CheckConstraint(
                condition=Q(below_micros__gt=0), name="billing_balancealert_positive"
            ),
        )

    def __str__(self) -> str:
        return f"{self.organization_id} below {self.below_micros}"


class BudgetAlert(models.Model):
    """That those who manage a budget were told how much of a month's limit was charged; once each.

    `limit_micros` and `captured_micros` are what both were then.
    """

    budget = models.ForeignKey(
        Budget, on_delete=models.PROTECT, related_name="alerts", db_index=False
    )
    period = models.DateField()
    percent = models.PositiveSmallIntegerField()
    limit_micros = models.BigIntegerField()
    captured_micros = models.BigIntegerField()
    created_at = models.DateTimeField()

    class Meta:
        constraints = (
            models.UniqueConstraint(
                fields=("budget", "period", "percent"), name="billing_budgetalert_once"
            ),
            models.CheckConstraint(
                condition=Q(percent__in=[50, 80, 100]), name="billing_budgetalert_percent"
            ),
        )

    def __str__(self) -> str:
        return f"{self.budget_id} {self.period}: {self.percent} %"
