"""A breaker: what keeps calls from a provider that fails."""

from django.db import models


class Breaker(models.Model):
    """The breaker of one provider. The row comes with its first opening; without one it is closed.

    `reason` is the kind of failure that opened it (a class of `gateway.providers.errors`), after
    `failures` of the `calls` that had ended within the last minute. From `retry_at` on, one call is
    let through as a probe; `probes` counts those of this opening, and `cooldown_s` is how long the
    next pause lasts if the present probe fails. `alert_claimed_at` is when a process last set out
    to tell the operators of this opening, `alerted_at` when one had.
    """

    provider = models.CharField(max_length=20, primary_key=True)
    is_open = models.BooleanField()
    reason = models.CharField(max_length=30)
    failures = models.PositiveIntegerField()
    calls = models.PositiveIntegerField()
    opened_at = models.DateTimeField()
    closed_at = models.DateTimeField(null=True)
    retry_at = models.DateTimeField()
    cooldown_s = models.PositiveSmallIntegerField()
    probes = models.PositiveIntegerField(default=0)
    alert_claimed_at = models.DateTimeField(null=True)
    alerted_at = models.DateTimeField(null=True)

    class Meta:
        constraints = [
            models.CheckConstraint(
                condition=models.Q(is_open=True) | models.Q(closed_at__isnull=False),
                name="gateway_breaker_closed_has_instant",
            )
        ]

    def __str__(self) -> str:
        return f"{self.provider} {'open' if self.is_open else 'closed'}"
