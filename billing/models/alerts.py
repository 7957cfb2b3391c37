"""Lines below which a balance is low."""

from django.db import models
from django.db.models import Q


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
