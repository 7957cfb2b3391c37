"""Where a queued generation stands in its queue."""

from dataclasses import dataclass
from datetime import datetime
from typing import Final
from uuid import UUID

from django.db import connection

# The order of claims (`gateway.services.runs.claims`) if none of the running ones ended: each turn
# an organization takes makes its next one later.
_STANDING: Final = """
WITH mine AS (
    SELECT queue, status, started_at FROM gateway_generation WHERE id = %(id)s
), running AS (
    SELECT organization_id, count(*) AS jobs
    FROM gateway_generation
    WHERE status = 'running' AND queue = (SELECT queue FROM mine)
    GROUP BY organization_id
), waiting AS (
    SELECT id, created_at,
        coalesce(jobs, 0)
            + row_number() OVER (PARTITION BY organization_id ORDER BY created_at, id) AS turn
    FROM gateway_generation LEFT JOIN running USING (organization_id)
    WHERE status = 'queued' AND queue = (SELECT queue FROM mine)
)
SELECT mine.started_at,
    CASE WHEN mine.status = 'queued' THEN (
        SELECT count(*)
        FROM waiting AS other JOIN waiting AS own
            ON (other.turn, other.created_at, other.id) <= (own.turn, own.created_at, own.id)
        WHERE own.id = %(id)s
    ) END,
    CASE WHEN mine.status = 'queued' THEN (SELECT sum(jobs) FROM running) END,
    CASE WHEN mine.status = 'queued' THEN (SELECT min(created_at) FROM waiting) END
FROM mine
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
    return Standing(started_at, position or None, int(running or 0), oldest_at)
