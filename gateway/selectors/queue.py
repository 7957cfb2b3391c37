"""Where a queued generation stands in its queue."""

from dataclasses import dataclass
from datetime import datetime
from typing import Final
from uuid import UUID

from django.db import connection

# The order of claims (`gateway.services.runs.claims`) if none of the running ones ended: each turn
# an organization takes makes its next one later. Those before it are its own older ones, and of
# each other organization as many as have an earlier turn, plus one if the one of the same turn is
# older. So only organizations are counted and few rows are looked at, however long the queue.
_STANDING: Final = """
WITH mine AS (
    SELECT queue, status, started_at, organization_id, created_at
    FROM gateway_generation
    WHERE id = %(id)s
), running AS (
    SELECT organization_id, count(*) AS jobs
    FROM gateway_generation
    WHERE status = 'running' AND queue = (SELECT queue FROM mine)
    GROUP BY organization_id
), waiting AS (
    SELECT organization_id, count(*) AS jobs, min(created_at) AS oldest_at
    FROM gateway_generation
    WHERE status = 'queued' AND queue = (SELECT queue FROM mine)
    GROUP BY organization_id
), own AS (
    SELECT mine.*, (
        SELECT count(*)
        FROM gateway_generation AS older
        WHERE older.status = 'queued' AND older.queue = mine.queue
            AND older.organization_id = mine.organization_id
            AND older.created_at < mine.created_at
    ) AS older
    FROM mine
), other AS (
    SELECT waiting.organization_id, waiting.jobs,
        coalesce(mine_running.jobs, 0) + own.older - coalesce(running.jobs, 0) AS earlier
    FROM own
    JOIN waiting ON waiting.organization_id <> own.organization_id
    LEFT JOIN running ON running.organization_id = waiting.organization_id
    LEFT JOIN running AS mine_running ON mine_running.organization_id = own.organization_id
), ahead AS (
    SELECT coalesce(sum(
        CASE WHEN earlier < 0 THEN 0 WHEN earlier >= jobs THEN jobs ELSE earlier + (
            SELECT (same_turn.created_at < own.created_at)::integer
            FROM gateway_generation AS same_turn
            WHERE same_turn.status = 'queued' AND same_turn.queue = own.queue
                AND same_turn.organization_id = other.organization_id
            ORDER BY same_turn.created_at
            OFFSET earlier LIMIT 1
        ) END
    ), 0) AS jobs
    FROM other CROSS JOIN own
)
SELECT started_at,
    CASE WHEN status = 'queued' THEN 1 + older + (SELECT jobs FROM ahead) END,
    CASE WHEN status = 'queued' THEN (SELECT sum(jobs) FROM running) END,
    CASE WHEN status = 'queued' THEN (SELECT min(oldest_at) FROM waiting) END
FROM own
"""


@dataclass(frozen=True, slots=True)
class Standing:
    """How far a generation has come.

    Attributes:
        started_at: When a worker first took it.
        position: Its place among the queued ones, from 1; None unless it is queued, as the others.
        running: How many of its queue run now.
        oldest_at: When the oldest queued one was created.
    """

    started_at: datetime | None
    position: int | None
    running: int
    oldest_at: datetime | None


def standing_of(*, generation_id: UUID) -> Standing:
    """Return where a generation stands. One query, which reads its queue while it is queued."""
    with connection.cursor() as cursor:
        cursor.execute(_STANDING, {"id": generation_id})
        started_at, position, running, oldest_at = cursor.fetchone()
    place = None if position is None else int(position)
    return Standing(started_at, place, int(running or 0), oldest_at)
