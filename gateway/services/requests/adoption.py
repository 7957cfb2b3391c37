"""Delivery: whose socket waits for a generation, and which retry may take its answer over.

A generation is undelivered while nobody has received its answer and the connection that waited for
it is closed, or its web process is gone. A resend of the same request then adopts it instead of
paying again. An answered call is never adopted: equal prompts in a loop are separate images.
"""

from collections.abc import Sequence
from datetime import datetime, timedelta
from uuid import UUID

from django.db import connection as database
from django.db.models import Q

from gateway.models import Generation
from gateway.services.processes import LEASE_S, is_dead_neighbor
from gateway.services.requests.generations import Accepted, Submission
from gateway.types import Connection
from orgs.services.api_keys import Caller

ADOPTION_WINDOW = timedelta(minutes=15)
RETRY_OF_RUNNING_AFTER = timedelta(seconds=20)
# Asked by every request without an idempotency key, and nearly always empty.
_UNDELIVERED = """
SELECT id
FROM gateway_generation
WHERE api_key_id = %s AND fingerprint = %s AND answered_at IS NULL AND created_at > %s
    AND status <> 'canceled'
"""


def adopt_undelivered(*, caller: Caller, submission: Submission, now: datetime) -> Accepted | None:
    """Take over the oldest undelivered generation of the same key and request, if there is one.

    Compare-and-set on the connection: of two retries one adopts, the other creates its own. A race
    is tolerated: a resend that arrives before this server has noticed the first connection's end,
    within milliseconds, finds no candidate.
    """
    with database.cursor() as cursor:
        since = now - ADOPTION_WINDOW
        cursor.execute(_UNDELIVERED, [caller.api_key_id, submission.fingerprint, since])
        ids = [row[0] for row in cursor]
    if not ids:
        return None
    candidates = Generation.objects.select_related("web_process").filter(id__in=ids)
    for candidate in candidates.order_by("created_at", "id"):
        if _is_adoptable(candidate, submission.connection, now) and _take_over(
            candidate, submission.connection, now
        ):
            return Accepted(candidate.id, created=False)
    return None


def attach_connection(*, generation_id: UUID, connection: Connection, now: datetime) -> None:
    """Let a connection wait for a generation whose own has closed."""
    Generation.objects.filter(
        id=generation_id, answered_at__isnull=True, connection_closed_at__isnull=False
    ).update(**_ownership(connection, now))


def close_connection(*, generation_id: UUID, connection_id: UUID, now: datetime) -> None:
    """Record that the connection has closed before it was answered. The job goes on."""
    Generation.objects.filter(
        id=generation_id, connection_id=connection_id, answered_at__isnull=True
    ).update(connection_closed_at=now)


def mark_answered(*, generation_ids: Sequence[UUID], now: datetime) -> None:
    """Record that a caller has received the answer, image or error."""
    with database.cursor() as cursor:
        cursor.execute(
            "UPDATE gateway_generation SET answered_at = %s"
            " WHERE id = ANY(%s) AND answered_at IS NULL",
            [now, list(generation_ids)],
        )


def _is_adoptable(candidate: Generation, connection: Connection, now: datetime) -> bool:
    error = candidate.error or {}
    if candidate.status == Generation.Status.FAILED and error.get("retryable"):
        return False
    if candidate.connection_closed_at is not None:
        return True
    process = candidate.web_process
    if (
        process is None
        or process.ended_at is not None
        or process.heartbeat_at < now - timedelta(seconds=LEASE_S)
        or is_dead_neighbor(process)
    ):
        return True
    opened_at = candidate.connection_opened_at or candidate.created_at
    return (
        connection.is_sdk_retry
        and not candidate.is_terminal
        and opened_at < now - RETRY_OF_RUNNING_AFTER
    )


def _take_over(candidate: Generation, connection: Connection, now: datetime) -> bool:
    same_connection = Q(connection_id=candidate.connection_id, answered_at__isnull=True)
    return bool(
        Generation.objects.filter(same_connection, id=candidate.id).update(
            **_ownership(connection, now)
        )
    )


def _ownership(connection: Connection, now: datetime) -> dict[str, object]:
    return {
        "connection_id": connection.id,
        "connection_opened_at": now,
        "connection_closed_at": None,
        "web_process_id": connection.web_process_id,
    }
