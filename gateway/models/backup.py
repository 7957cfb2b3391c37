"""A backup that was made, or from which this database was restored."""

from django.db import models


class Backup(models.Model):
    """One file that holds this database as of `snapshot_at`.

    The row is written once the file is whole, so it is not in the file itself; a restore adds it,
    with `restored_at`. `sha256` is of the dump in the file, whether or not that is encrypted.
    """

    id = models.UUIDField(primary_key=True, editable=False)
    started_at = models.DateTimeField()
    snapshot_at = models.DateTimeField()
    finished_at = models.DateTimeField()
    product = models.CharField(max_length=40)
    size_bytes = models.BigIntegerField()
    sha256 = models.CharField(max_length=64)
    is_encrypted = models.BooleanField()
    restored_at = models.DateTimeField(null=True)

    def __str__(self) -> str:
        return f"{self.id} of {self.snapshot_at:%Y-%m-%d %H:%M}"
