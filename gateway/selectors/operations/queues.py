"""What waits and who works, now: queues of providers, worker processes, and work on the side."""

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final
from uuid import UUID

from django.conf import settings
from django.db import connection
from django.db.models import Count, Min, Q

from gateway.models import Export, Process, Thumbnail

# An ended process is shown for a while: whoever looks has perhaps just restarted it.
ENDED_SHOWN: Final = timedelta(minutes=10)
# `gateway.services.processes.LEASE_S`
_LEASE: Final = timedelta(seconds=20)
_WORK: Final = """
SELECT queue, count(*) FILTER (WHERE status = 'queued'),
    min(created_at) FILTER (WHERE status = 'queued'),
    count(*) FILTER (WHERE status = 'running'),
    coalesce(sum(calls) FILTER (WHERE status = 'running'), 0)
FROM gateway_generation
WHERE status IN ('queued', 'running')
GROUP BY queue
"""
_CLAIMS: Final = """
SELECT worker_id, queue, count(*) FROM gateway_generation
WHERE status = 'running' AND worker_id IS NOT NULL
GROUP BY worker_id, queue
"""


@dataclass(frozen=True, slots=True)
class QueueView:
    """One queue.

    Attributes:
        calls: What the running ones count against the limit.
        limit: Most calls at the same time; None for no limit.
        slots: How many the living workers together may run.
    """

    name: str
    queued: int
    oldest_at: datetime | None
    running: int
    calls: int
    limit: int | None
    slots: int


@dataclass(frozen=True, slots=True)
class ProcessView:
    """One web or worker process.

    Attributes:
        state: `alive`, `draining`, `dead` (its lease has run out) or `ended`.
        used: How many generations it runs.
        slots: How many it may run, all queues together; 0 for a web process.
        queues: Of each queue at which it works: how many it runs, and may run.
    """

    id: UUID
    kind: str
    host: str
    pid: int
    started_at: datetime
    heartbeat_s: int
    state: str
    used: int
    slots: int
    queues: Sequence[tuple[str, int, int]]


@dataclass(frozen=True, slots=True)
class Backlog:
    """Work on the side that waits: how much, and since when the oldest."""

    waiting: int
    oldest_at: datetime | None


@dataclass(frozen=True, slots=True)
class Board:
    """All of it, of one moment."""

    queues: Sequence[QueueView]
    processes: Sequence[ProcessView]
    thumbnails: Backlog
    exports: Backlog


def read_board(*, queues: Collection[str], now: datetime) -> Board:
    """Return what waits and who works. Five queries, whose cost is that of what is open."""
    claims = _claims()
    processes = _processes(claims, now)
    slots: dict[str, int] = defaultdict(int)
    for process in processes:
        if process.state == "alive":
            for queue, _used, total in process.queues:
                slots[queue] += total
    return Board(
        queues=_queues(queues, slots),
        processes=processes,
        thumbnails=_backlog(
            Thumbnail.objects.filter(status=Thumbnail.Status.WANTED).aggregate(
                waiting=Count("id"), oldest_at=Min("requested_at")
            )
        ),
        exports=_backlog(
            Export.objects.filter(
                status__in=[Export.Status.QUEUED, Export.Status.RUNNING]
            ).aggregate(waiting=Count("id"), oldest_at=Min("created_at"))
        ),
    )


def _backlog(row: Mapping[str, object]) -> Backlog:
    waiting, oldest_at = row["waiting"], row["oldest_at"]
    assert isinstance(waiting, int)  # noqa: S101 - a count
    return Backlog(waiting, oldest_at if isinstance(oldest_at, datetime) else None)


def _queues(names: Collection[str], slots: Mapping[str, int]) -> list[QueueView]:
    with connection.cursor() as cursor:
        cursor.execute(_WORK)
        work = {row[0]: row[1:] for row in cursor.fetchall()}
    return [
        QueueView(
            name,
            queued=queued,
            oldest_at=oldest_at,
            running=running,
            calls=calls,
            limit=settings.PROVIDER_LIMITS.get(name),
            slots=slots.get(name, 0),
        )
        for name in (*names, *sorted(work.keys() - set(names)))
        for queued, oldest_at, running, calls in [work.get(name, (0, None, 0, 0))]
    ]


def _claims() -> dict[UUID, dict[str, int]]:
    claims: dict[UUID, dict[str, int]] = defaultdict(dict)
    with connection.cursor() as cursor:
        cursor.execute(_CLAIMS)
        for worker_id, queue, count in cursor.fetchall():
            claims[worker_id][queue] = count
    return claims


def _processes(claims: Mapping[UUID, Mapping[str, int]], now: datetime) -> list[ProcessView]:
    rows = Process.objects.filter(
        Q(ended_at__isnull=True) | Q(ended_at__gt=now - ENDED_SHOWN) | Q(id__in=list(claims))
    ).order_by("-kind", "ended_at", "host", "started_at")
    return [_process(row, claims.get(row.id, {}), now) for row in rows]


def _process(row: Process, claims: Mapping[str, int], now: datetime) -> ProcessView:
    slots: Mapping[str, int] = row.slots
    busy = [
        (queue, claims.get(queue, 0), slots.get(queue, 0)) for queue in sorted({*slots, *claims})
    ]
    return ProcessView(
        id=row.id,
        kind=row.kind,
        host=row.host_name,
        pid=row.pid,
        started_at=row.started_at,
        heartbeat_s=max(0, int((now - row.heartbeat_at).total_seconds())),
        state=_state(row, now),
        used=sum(claims.values()),
        slots=sum(slots.values()),
        queues=busy,
    )


def _state(row: Process, now: datetime) -> str:
    if row.ended_at is not None:
        return "ended"
    if now - row.heartbeat_at > _LEASE:
        return "dead"
    return "alive" if row.draining_at is None else "draining"
