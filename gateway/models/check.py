"""A check of the platform: when it last ran, and how far it has come."""

from django.db import models


class Check(models.Model):
    """One row for each check, of its last or present run.

    `requested_at` asks for a run and is set by whoever wants one; a worker takes it by setting
    `started_at`, moves `beat_at` on while it works, and sets `finished_at` at the end: until then
    that is when the last whole run ended. `done` of `total` steps are behind it; `found` is what
    they found; `error` is why it broke off. A run with steps left whose `beat_at` grows old has
    died or broken off, and is taken again.
    """

    name = models.CharField(max_length=20, primary_key=True)
    requested_at = models.DateTimeField(null=True)
    requested_by = models.CharField(max_length=254, blank=True)
    started_at = models.DateTimeField(null=True)
    beat_at = models.DateTimeField(null=True)
    finished_at = models.DateTimeField(null=True)
    done = models.PositiveIntegerField(default=0)
    total = models.PositiveIntegerField(default=0)
    found = models.PositiveIntegerField(default=0)
    error = models.CharField(max_length=200, blank=True)

    def __str__(self) -> str:
        return f"{self.name} {self.done}/{self.total}"

    @property
    def is_running(self) -> bool:
        """Whether a run has steps left and has not broken off; it may have died."""
        return self.done < self.total and not self.error
