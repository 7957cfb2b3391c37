"""Claiming queued generations, fairly between organizations, by compare-and-set."""

import time
from collections.abc import Collection
from datetime import datetime
from typing import Any
from uuid import UUID

import orjson
from django.db import connection
from django.db.models import Count, F

from gateway.models import Generation
from gateway.types import Claim, ClaimedWork

CLAIM_TRIES = 3
CLAIM_PAUSE_S = 0.005

# The organization with the fewest running jobs on this queue goes first, then the oldest job. The
# lateral part reads and locks one row per waiting organization; rows another worker is about to
# take are skipped.
_CLAIM = """
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
RETURNING generation.id, generation.organization_id, organization.image_policy = 'public',
    generation.parameters, generation.plan, generation.route_index, generation.quoted_list_micros,
    generation.deadline_at, generation.recoveries,
    CASE WHEN generation.recoveries = 0 AND generation.route_index = 0 THEN 0 ELSE (
        SELECT coalesce(sum(cost_micros), 0)::bigint
        FROM gateway_attempt
        WHERE generation_id = generation.id
    ) END
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

    One statement, repeated while others hold the rows it looked at: a claimer briefly locks one
    row of every waiting organization.
    """
    for _ in range(CLAIM_TRIES):
        with connection.cursor() as cursor:
            cursor.execute(_CLAIM, {"queue": queue, "worker": worker_id, "token": token})
            row = cursor.fetchone()
            if row is not None:
                return _claimed(row, worker_id, token)
            cursor.execute(_ANY_QUEUED, [queue])
            if cursor.fetchone() is None:
                return None
        time.sleep(CLAIM_PAUSE_S)
    return None


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


def queue_lengths() -> dict[str, int]:
    """Return how many generations wait in each queue that has any."""
    rows = (
        Generation.objects.filter(status=Generation.Status.QUEUED)
        .values("queue")
        .annotate(waiting=Count("id"))
    )
    return {row["queue"]: row["waiting"] for row in rows}


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
