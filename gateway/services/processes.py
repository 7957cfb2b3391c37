"""The lease of this process: registered at start, renewed every few seconds, ended at exit."""

import logging
import os
import socket
import time
from collections.abc import Mapping
from enum import StrEnum
from functools import cache
from pathlib import Path
from uuid import UUID

import gevent
from django.db import DatabaseError, connection
from django.db.models import F
from django.db.models.functions import Coalesce, Now

from core.ids import new_uuid
from core.postgres.connections import use_own_connection
from gateway.models import Process
from gateway.types import Claim

HEARTBEAT_S = 5.0
LEASE_S = 20.0
logger = logging.getLogger(__name__)


class Kind(StrEnum):
    """What a process does."""

    WEB = "web"
    WORKER = "worker"


class CurrentProcess:
    """This process's row. A process declared dead while it was frozen takes a new id.

    Attributes:
        slots: Of a worker, how many generations of each queue it may run at once.
        is_draining: Of a worker, whether it was told to stop; the row says so a heartbeat later.
    """

    def __init__(self, kind: Kind) -> None:
        self.kind = kind
        self.id: UUID | None = None
        self.slots: Mapping[str, int] = {}
        self.is_draining = False
        self._renewed_s = float("-inf")
        self._renewer: gevent.Greenlet[[], None] | None = None

    def start(self) -> None:
        """Register, declare dead neighbors dead, and keep the lease in the background."""
        self._register()
        connection.close()
        self._renewer = gevent.spawn(self._renew_for_ever)

    def stop(self) -> None:
        """End the lease, so that others need not wait for it to run out."""
        if self._renewer is not None:
            self._renewer.kill(block=False)
        if self.id is not None:
            try:
                Process.objects.filter(id=self.id).update(ended_at=Now())
            except DatabaseError as error:
                logger.warning("process.end_failed error=%s", error)
            finally:
                connection.close()

    @property
    def holds_lease(self) -> bool:
        """Return whether the lease was renewed in time, as far as this process knows."""
        return time.monotonic() - self._renewed_s < LEASE_S

    def surely_holds(self, claim: Claim) -> bool:
        """Return whether nobody can have taken a claim: its lease was renewed moments ago.

        False says nothing, as after a freeze or an outage: then the row must be asked.
        """
        age_s = time.monotonic() - self._renewed_s
        return claim.worker_id == self.id and age_s < LEASE_S / 2

    def _register(self) -> None:
        pid = os.getpid()
        process_id = new_uuid()
        asked_s = time.monotonic()
        Process.objects.create(
            id=process_id,
            kind=self.kind.value,
            host=this_host(),
            pid=pid,
            started_ticks=started_ticks(pid) or 0,
            started_at=Now(),
            heartbeat_at=Now(),
            slots=dict(self.slots),
        )
        self.id, self._renewed_s = process_id, asked_s
        end_dead_neighbors()

    def _renew_for_ever(self) -> None:
        use_own_connection()
        while True:
            gevent.sleep(HEARTBEAT_S)
            asked_s = time.monotonic()
            try:
                draining_at = Coalesce(F("draining_at"), Now()) if self.is_draining else None
                renewed = Process.objects.filter(id=str(self.id), ended_at__isnull=True).update(
                    heartbeat_at=Now(), draining_at=draining_at
                )
                if renewed:
                    self._renewed_s = asked_s
                else:
                    logger.warning("process.lease_lost kind=%s", self.kind)
                    self._register()
            except DatabaseError as error:
                logger.warning("process.heartbeat_failed error=%s", error)
                connection.close()


@cache
def current_process(kind: Kind) -> CurrentProcess:
    """Return the one object for this process."""
    return CurrentProcess(kind)


@cache
def this_host() -> str:
    """Return what all processes have in common that see each other's pids, its name first.

    A name alone may be another machine's or another container's, whose pids say nothing here. Linux
    numbers its boots and its namespaces of pids; elsewhere there is the name alone.
    """
    name = socket.gethostname()
    try:
        boot = Path("/proc/sys/kernel/random/boot_id").read_text().strip()
        namespace = Path("/proc/self/ns/pid").stat().st_ino
    except OSError:
        return name
    return f"{name}@{boot}/{namespace}"


def started_ticks(pid: int) -> int | None:
    """Return when a local process started, in clock ticks since boot; None if there is none.

    On systems without /proc a living process gives 0, so only its pid is compared.
    """
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
    except FileNotFoundError:
        if Path("/proc/self/stat").exists():
            return None
        return 0 if _answers_signals(pid) else None
    except OSError:
        return None
    fields = stat.rpartition(")")[2].split()
    state, ticks = fields[0], int(fields[19])
    return None if state in {"Z", "X"} else ticks


def is_dead_neighbor(process: Process) -> bool:
    """Return whether a process of this host is surely gone, its lease notwithstanding."""
    return process.host == this_host() and started_ticks(process.pid) != process.started_ticks


def end_dead_neighbors() -> int:
    """End the lease of every process of this host that is gone; return how many."""
    dead = [
        process.id
        for process in Process.objects.filter(host=this_host(), ended_at__isnull=True)
        if is_dead_neighbor(process)
    ]
    return Process.objects.filter(id__in=dead).update(ended_at=Now()) if dead else 0


def end_expired_leases() -> int:
    """End every lease that was not renewed in time; return how many.

    The caller has looked at leases without a gap for `LEASE_S`: after an outage of the database
    nobody could renew, and everyone is given a lease's time to do so.
    """
    with connection.cursor() as cursor:
        cursor.execute(
            "UPDATE gateway_process SET ended_at = now() WHERE ended_at IS NULL"
            " AND heartbeat_at < now() - make_interval(secs => %s)",
            [LEASE_S],
        )
        return int(cursor.rowcount)


def _answers_signals(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True
