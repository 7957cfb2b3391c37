"""Claiming queued generations, fairly between organizations, by compare-and-set.

How many calls a provider may get at the same time (`PROVIDER_LIMITS`) is counted from the rows, so
it holds over all workers. Whoever ends a generation claims the next one; a claim that leaves room
for more wakes another slot.
"""

import time
from collections.abc import Collection
from datetime import datetime
from typing import Any
from uuid import UUID

import orjson
from django.conf import settings
from django.db import connection, transaction
from django.db.models import Count, F, Sum

from gateway.models import Generation
from gateway.services.processes import LEASE_S
from gateway.services.requests.generations import wake
from gateway.types import Claim, ClaimedWork

CLAIM_TRIES = 3
CLAIM_PAUSE_S = 0.005
Params = dict[str, str | UUID | float]

# The organization with the fewest running jobs on this queue goes first, then the oldest job. The
# lateral part reads and locks one row per waiting organization; rows another worker is about to
# take are skipped. Who holds no lease, like a worker that thaws, takes nothing: the sweeper would
# hand the job on, and the provider be called, and paid, twice.
_TAKE = """
WITH running AS (
    SELECT organization_id, count(*) AS jobs
    FROM gateway_generation
    WHERE status = 'running' AND queue = %(queue)s
    GROUP BY organization_id
), waiting AS (
    SELECT DISTINCT organization_id
    FROM gateway_generation
    WHERE status = 'queued' AND queue = %(queue)s
), next AS (
    SELECT candidate.id
    FROM waiting
    LEFT JOIN running USING (organization_id)
    CROSS JOIN LATERAL (
        SELECT id, created_at
        FROM gateway_generation
        WHERE status = 'queued' AND queue = %(queue)s
            AND organization_id = waiting.organization_id AND deadline_at > now()
        ORDER BY created_at
        LIMIT 1
        FOR UPDATE SKIP LOCKED
    ) AS candidate
    ORDER BY coalesce(running.jobs, 0), candidate.created_at
    LIMIT 1
)
UPDATE gateway_generation AS generation
SET status = 'running', worker_id = %(worker)s, claim_token = %(token)s,
    started_at = coalesce(started_at, now())
FROM next CROSS JOIN orgs_organization AS organization
WHERE generation.id = next.id AND generation.status = 'queued'
    AND organization.id = generation.organization_id
    AND EXISTS (
        SELECT FROM gateway_process
        WHERE id = %(worker)s AND ended_at IS NULL
            AND heartbeat_at > now() - make_interval(secs => %(lease_s)s)
    )
"""
# One that needs more calls than the limit allows runs alone. Nobody overtakes one that waits for
# room, else small generations would keep a large one waiting for ever.
_FITS = """
    AND (
        NOT EXISTS (SELECT FROM running)
        OR generation.calls + (
            SELECT sum(calls) FROM gateway_generation
            WHERE status = 'running' AND queue = %(queue)s
        ) <= %(limit)s
    )
"""
_CLAIMED = """
RETURNING generation.id, generation.organization_id, organization.image_policy = 'public',
    generation.parameters, generation.plan, generation.route_index, generation.quoted_list_micros,
    generation.deadline_at, generation.recoveries, generation.created_at, generation.traceparent
"""

_CLAIM = _TAKE + _CLAIMED
_CLAIM_WITHIN_LIMIT = _TAKE + _FITS + _CLAIMED

_HAS_ROOM = """
SELECT coalesce(sum(calls), 0) < %s FROM gateway_generation WHERE status = 'running' AND queue = %s
"""

_ANY_QUEUED = """
SELECT 1 FROM gateway_generation
WHERE status = 'queued' AND queue = %s AND deadline_at > now()
LIMIT 1
"""

_HOLDS_CLAIM = """
SELECT 1
FROM gateway_generation
WHERE id = %s AND status = 'running' AND worker_id = %s AND claim_token = %s
"""


def claim_next(*, queue: str, worker_id: UUID, token: UUID) -> ClaimedWork | None:
    """Claim the next queued generation of a queue under a new token, or return None.

    Nothing is claimed without a lease: once it has ended, or while it is not renewed in time.

    One statement, repeated while others hold the rows it looked at: a claimer briefly locks one
    row of every waiting organization. Of a queue with a limit one claimer at a time, by an advisory
    lock that is held for one short transaction.
    """
    params: Params = {"queue": queue, "worker": worker_id, "token": token, "lease_s": LEASE_S}
    limit = settings.PROVIDER_LIMITS.get(queue)
    if limit:
        row = _claim_within(limit, queue, params)
        return None if row is None else _claimed(row, worker_id, token)
    for _ in range(CLAIM_TRIES):
        with connection.cursor() as cursor:
            cursor.execute(_CLAIM, params)
            row = cursor.fetchone()
            if row is not None:
                return _claimed(row, worker_id, token)
            if not _is_any_queued(queue):
                return None
        time.sleep(CLAIM_PAUSE_S)
    return None


def _claim_within(limit: int, queue: str, params: Params) -> tuple[Any, ...] | None:
    """Claim if the provider's limit has room.

    The lock is a statement of its own: the next one then sees every claim before it. A full queue
    is found out without the lock, so that a burst of wakes does not stand in line for it.
    """
    if not _has_room(queue, limit):
        return None
    with transaction.atomic(durable=True), connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(hashtextextended(%s, 0))", [f"limit:{queue}"])
        cursor.execute(_CLAIM_WITHIN_LIMIT, params | {"limit": limit})
        row: tuple[Any, ...] | None = cursor.fetchone()
        is_more = row is not None and _has_room(queue, limit) and _is_any_queued(queue)
    if is_more:
        # The end of a generation with several calls makes room for several others.
        wake(queue)
    return row


def _has_room(queue: str, limit: int) -> bool:
    with connection.cursor() as cursor:
        cursor.execute(_HAS_ROOM, [limit, queue])
        [has_room] = cursor.fetchone()
    return bool(has_room)


def _is_any_queued(queue: str) -> bool:
    with connection.cursor() as cursor:
        cursor.execute(_ANY_QUEUED, [queue])
        return cursor.fetchone() is not None


def _claimed(row: tuple[Any, ...], worker_id: UUID, token: UUID) -> ClaimedWork:
    generation_id, organization_id, is_public, parameters, plan, *rest = row
    return ClaimedWork(
        Claim(generation_id, worker_id, token),
        organization_id,
        is_public,
        orjson.loads(parameters),
        orjson.loads(plan),
        *rest,
    )


def give_back_unknown(*, worker_id: UUID, known: Collection[UUID]) -> int:
    """Queue again what this worker claimed without ever learning it; return how many.

    The answer of a claim is lost when the database goes away at that very moment. Nothing was
    called for such a job: it has no attempt under its token.
    """
    return (
        Generation.objects.filter(worker_id=worker_id, status=Generation.Status.RUNNING)
        .exclude(claim_token__in=known)
        .exclude(attempts__claim_token=F("claim_token"))
        .update(status=Generation.Status.QUEUED, worker_id=None, claim_token=None)
    )


def startable() -> dict[str, int]:
    """Return how many of each queue's waiting generations may start now, at most."""
    rows = (
        Generation.objects.filter(status=Generation.Status.QUEUED)
        .values("queue")
        .annotate(waiting=Count("id"))
    )
    waiting = {row["queue"]: row["waiting"] for row in rows}
    for queue, room in _rooms(waiting.keys() & settings.PROVIDER_LIMITS.keys()).items():
        waiting[queue] = min(waiting[queue], room)
    return waiting


def _rooms(queues: Collection[str]) -> dict[str, int]:
    """Return how many more calls the limits of some queues allow."""
    if not queues:
        return {}
    rows = (
        Generation.objects.filter(status=Generation.Status.RUNNING, queue__in=queues)
        .values("queue")
        .annotate(used=Sum("calls"))
    )
    used = {row["queue"]: row["used"] for row in rows}
    return {queue: max(settings.PROVIDER_LIMITS[queue] - used.get(queue, 0), 0) for queue in queues}


def holds_claim(claim: Claim) -> bool:
    """Return whether the claim still stands."""
    with connection.cursor() as cursor:
        cursor.execute(_HOLDS_CLAIM, [claim.generation_id, claim.worker_id, claim.token])
        return cursor.fetchone() is not None


def requeue(*, claim: Claim, route_index: int, queue: str, calls: int, now: datetime) -> bool:
    """Give a claimed generation back for another route; return False if the claim was lost.

    `calls` is how many upstream calls it needs there.
    """
    return bool(
        Generation.objects.filter(
            id=claim.generation_id,
            status=Generation.Status.RUNNING,
            claim_token=claim.token,
            deadline_at__gt=now,
        ).update(
            status=Generation.Status.QUEUED,
            worker_id=None,
            claim_token=None,
            route_index=route_index,
            queue=queue,
            calls=calls,
        )
    )
