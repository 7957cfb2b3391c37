"""An artifact: one stored image."""

from django.db import models

from core.ids import new_uuid
from gateway.models.generation import Generation


class Artifact(models.Model):
    """One delivered image. Its URL is built from bucket and key when it is read, never stored."""

    id = models.UUIDField(primary_key=True, default=new_uuid, editable=False)
    generation = models.ForeignKey(
        Generation, on_delete=models.CASCADE, related_name="artifacts", db_index=False
    )
    index = models.PositiveSmallIntegerField()
    is_public = models.BooleanField()
    key = models.CharField(max_length=200)
    content_type = models.CharField(max_length=30)
    sha256 = models.BinaryField(max_length=32)
    size_bytes = models.BigIntegerField()
    width = models.PositiveIntegerField()
    height = models.PositiveIntegerField()
    revised_prompt = models.TextField(blank=True)
    seed = models.BigIntegerField(null=True)
    created_at = models.DateTimeField()
    deleted_at = models.DateTimeField(null=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["generation", "index"], name="gateway_artifact_index_unique"
            ),
            models.UniqueConstraint(fields=["key"], name="gateway_artifact_key_unique"),
            models.CheckConstraint(
                condition=models.Q(size_bytes__gt=0, width__gt=0, height__gt=0),
                name="gateway_artifact_not_empty",
            ),
        ]
        # Which image an edit was made of.
        indexes = [models.Index(fields=["sha256"], name="gateway_artifact_sha256")]

    def __str__(self) -> str:
        return self.key
