"""A pause: an operator keeps calls from a provider."""

from django.db import models


class Pause(models.Model):
    """A provider that gets no calls while the row is there, whatever its breaker says.

    `paused_by` is the operator's name as it was then; the audit log has the pauses that are over.
    """

    provider = models.CharField(max_length=20, primary_key=True)
    reason = models.CharField(max_length=200)
    paused_by = models.CharField(max_length=254)
    paused_at = models.DateTimeField()

    def __str__(self) -> str:
        return f"{self.provider} since {self.paused_at}"
