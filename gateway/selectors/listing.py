"""Listing an organization's generations, newest first, page by page.

Each set of filters is a statement of its own, with the status as a constant: only so can Postgres
see that a partial index holds what is asked for.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final
from uuid import UUID

from django.db import connection

from gateway.models import Generation
from gateway.selectors.generations import SELECT_GENERATIONS, attempts_of, view_of
from gateway.types import GenerationView

STATUSES: Final = tuple(Generation.Status.values)


@dataclass(frozen=True, slots=True)
class Filters:
    """Which generations to list; None for any.

    Attributes:
        idempotency_key: As long as the server knows it.
        status: One of `STATUSES`.
        created_after: From this instant on.
        created_before: Earlier than this instant.
    """

    idempotency_key: str | None = None
    client_request_id: str | None = None
    user: str | None = None
    status: str | None = None
    model: str | None = None
    created_after: datetime | None = None
    created_before: datetime | None = None


@dataclass(frozen=True, slots=True)
class Page:
    """Some generations, and whether more follow."""

    generations: tuple[GenerationView, ...]
    has_more: bool


_CURSOR: Final = """
SELECT created_at FROM gateway_generation WHERE id = %s AND organization_id = %s
"""
# The empty string is what a generation without such a mark has; the partial indexes leave it out.
_STATUS_CONDITIONS: Final = {status: f"status = '{status}'" for status in STATUSES}
# The newest of each queue, which its index has in their order. Asked for plainly, Postgres sorts
# all that the organization has queued, once it plans for any organization.
_QUEUED_IDS: Final = """
WITH RECURSIVE waiting AS (
    (SELECT queue FROM gateway_generation WHERE status = 'queued' ORDER BY queue LIMIT 1)
    UNION ALL
    SELECT (
        SELECT following.queue FROM gateway_generation AS following
        WHERE following.status = 'queued' AND following.queue > waiting.queue
        ORDER BY following.queue LIMIT 1
    )
    FROM waiting WHERE waiting.queue IS NOT NULL
)
SELECT newest.id FROM waiting CROSS JOIN LATERAL (
    SELECT id FROM gateway_generation
    WHERE queue = waiting.queue AND {conditions}
    ORDER BY created_at DESC, id DESC LIMIT %(limit)s
) AS newest
"""
_CONDITIONS: Final = {
    "idempotency_key": (
        "id = (SELECT generation_id FROM gateway_idempotencykey"
        " WHERE organization_id = %(organization_id)s AND key = %(idempotency_key)s)"
    ),
    "client_request_id": "client_request_id = %(client_request_id)s AND client_request_id <> ''",
    "user": '"user" = %(user)s AND "user" <> \'\'',
    "model": "model = %(model)s",
    "created_after": "created_at >= %(created_after)s",
    "created_before": "created_at < %(created_before)s",
}


def find_cursor(*, organization_id: UUID, generation_id: UUID) -> datetime | None:
    """Return when a generation of the organization was created; None if there is no such one."""
    with connection.cursor() as cursor:
        cursor.execute(_CURSOR, [generation_id, organization_id])
        row = cursor.fetchone()
    return None if row is None else row[0]


def list_generations(
    *,
    organization_id: UUID,
    filters: Filters,
    limit: int,
    after: tuple[datetime, UUID] | None = None,
) -> Page:
    """Return a page of generations, newest first. Two queries.

    Args:
        organization_id: Whose.
        filters: Which of them.
        limit: Most to return.
        after: When the last one of the page before was created, and its id.
    """
    conditions = ["organization_id = %(organization_id)s"]
    params: dict[str, Any] = {"organization_id": organization_id, "limit": limit + 1}
    for name, condition in _CONDITIONS.items():
        value = getattr(filters, name)
        if value is not None:
            conditions.append(condition)
            params[name] = value
    if filters.status is not None:
        conditions.append(_STATUS_CONDITIONS[filters.status])
    if after is not None:
        conditions.append("(created_at, id) < (%(after_created_at)s, %(after_id)s)")
        params["after_created_at"], params["after_id"] = after
    condition = " AND ".join(conditions)
    if filters.status == Generation.Status.QUEUED:
        condition = f"id = ANY(ARRAY({_QUEUED_IDS.format(conditions=condition)}))"
    statement = (
        f"{SELECT_GENERATIONS}WHERE {condition} ORDER BY created_at DESC, id DESC LIMIT %(limit)s"
    )
    with connection.cursor() as cursor:
        cursor.execute(statement, params)
        rows = cursor.fetchall()
    shown = rows[:limit]
    attempts = attempts_of([row[0] for row in shown]) if shown else {}
    return Page(
        tuple(view_of(row, attempts.get(row[0], ())) for row in shown), has_more=len(rows) > limit
    )
