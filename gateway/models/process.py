"""One row per web or worker process: its lease."""

from django.db import models

from core.ids import new_uuid


class Process(models.Model):
    """A serving process. It is alive while its heartbeat is younger than the lease.

    `host`, `pid` and `started_ticks` let a process on the same host see at once that this one is
    gone, without waiting for the lease. `slots` are how many generations of each queue a worker may
    run at once; `draining_at` is when it was told to stop: it ends what it runs and claims no more.

    On Linux `host` is a name, `@`, the boot's id, `/` and the namespace of the pids. Releases up to
    0.1 write the name alone: they take no process of a later one for a neighbor, nor it theirs.
    """

    class Kind(models.TextChoices):
        WEB = "web", "Web"
        WORKER = "worker", "Worker"

    id = models.UUIDField(primary_key=True, default=new_uuid, editable=False)
    kind = models.CharField(max_length=10, choices=Kind)
    host = models.CharField(max_length=255)
    pid = models.IntegerField()
    started_ticks = models.BigIntegerField()
    started_at = models.DateTimeField()
    heartbeat_at = models.DateTimeField()
    ended_at = models.DateTimeField(null=True, blank=True)
    slots = models.JSONField(default=dict, db_default={})
    draining_at = models.DateTimeField(null=True)

    class Meta:
        indexes = [
            models.Index(
                fields=["kind", "heartbeat_at"],
                condition=models.Q(ended_at__isnull=True),
                name="gateway_process_alive",
            )
        ]

    def __str__(self) -> str:
        return f"{self.kind} {self.host_name}:{self.pid}"

    @property
    def host_name(self) -> str:
        """Return the host's name, for people."""
        return self.host.partition("@")[0]
