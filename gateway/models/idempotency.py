"""Idempotency keys: which generation a key stands for."""

from django.db import models

from gateway.models.generation import Generation


class IdempotencyKey(models.Model):
    """A caller's `Idempotency-Key`, scoped to the organization, with what it was first used for."""

    organization = models.ForeignKey("orgs.Organization", on_delete=models.CASCADE)
    key = models.CharField(max_length=255)
    fingerprint = models.BinaryField(max_length=32)
    generation = models.ForeignKey(
        Generation, on_delete=models.CASCADE, related_name="idempotency_keys"
    )
    created_at = models.DateTimeField(db_index=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["organization", "key"], name="gateway_idempotency_key_unique"
            )
        ]

    def __str__(self) -> str:
        return self.key
