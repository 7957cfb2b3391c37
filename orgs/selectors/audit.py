"""Reading the audit log, newest first."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Final
from uuid import UUID

import orjson
from django.db import connection
from django.db.models import Q, QuerySet

from orgs.errors import InvalidInputError
from orgs.models import AuditEvent

EXPORT_COLUMNS: Final = (
    "created_at",
    "actor_kind",
    "actor",
    "impersonator",
    "action",
    "object_type",
    "object_id",
    "object_label",
    "changes",
    "ip",
    "user_agent",
    "request_id",
)
PLATFORM_COLUMNS: Final = ("organization_id", "organization", *EXPORT_COLUMNS)
"""Of the log of every organization."""
_EXPORT_BATCH: Final = 1_000
# The next actor's latest event, until there is no next one. Ids of nil come before all others.
_ACTORS: Final = """
WITH RECURSIVE actor AS (
    SELECT '00000000-0000-0000-0000-000000000000'::uuid AS id, ''::varchar AS label
    UNION ALL
    SELECT following.actor_id, following.actor_label
    FROM actor
    CROSS JOIN LATERAL (
        SELECT event.actor_id, event.actor_label
        FROM orgs_auditevent AS event
        WHERE event.organization_id = %(organization_id)s AND event.actor_id > actor.id
        ORDER BY event.actor_id, event.created_at DESC, event.id DESC
        LIMIT 1
    ) AS following
)
SELECT id, label FROM actor WHERE id <> '00000000-0000-0000-0000-000000000000'
"""


@dataclass(frozen=True, slots=True)
class AuditFilter:
    """Which events; an empty field filters nothing.

    Attributes:
        organization_ids: Of the log of every organization, those of these.
        action: A whole action, or the word before its dot: all of a family.
        since: From this instant on.
        until: Before this instant.
    """

    organization_ids: frozenset[UUID] | None = None
    actor_id: UUID | None = None
    action: str = ""
    object_type: str = ""
    object_id: str = ""
    since: datetime | None = None
    until: datetime | None = None


def list_events(
    *,
    organization_id: UUID | None,
    filters: AuditFilter = AuditFilter(),
    limit: int,
    after: UUID | None = None,
) -> tuple[list[AuditEvent], bool]:
    """Return events and whether more follow.

    Args:
        organization_id: Whose log; None is every organization's and the platform's own, for its
            operators.
        filters: Which of them.
        limit: How many at most.
        after: Go on after this event.

    Raises:
        InvalidInputError: That log has no event `after`.
    """
    rows = _matching(organization_id, filters)
    if after is not None:
        rows = _beyond(rows, _of(organization_id), after)
    found = list(rows[: limit + 1])
    return found[:limit], len(found) > limit


def get_event(*, organization_id: UUID | None, event_id: UUID) -> AuditEvent | None:
    """Return one event of a log, or None."""
    return _of(organization_id).filter(id=event_id).first()


def export_events(
    *,
    organization_id: UUID | None,
    filters: AuditFilter = AuditFilter(),
    batch: int = _EXPORT_BATCH,
) -> Iterator[list[dict[str, str]]]:
    """Yield all matching events as rows of `PLATFORM_COLUMNS`, one query a batch.

    Nothing is held between batches: who streams them gives the connection back in between.
    """
    after: UUID | None = None
    has_more = True
    while has_more:
        events, has_more = list_events(
            organization_id=organization_id, filters=filters, limit=batch, after=after
        )
        if events:
            after = events[-1].id
            yield [_row(event, is_named=organization_id is None) for event in events]


def list_actors(*, organization_id: UUID) -> list[tuple[UUID, str]]:
    """Return who is in the log, by id and latest name, for choosing one.

    One query, which goes from actor to actor in the index and reads one event of each.
    """
    with connection.cursor() as cursor:
        cursor.execute(_ACTORS, {"organization_id": organization_id})
        return sorted(((row[0], row[1]) for row in cursor), key=lambda pair: pair[1])


def _of(organization_id: UUID | None) -> QuerySet[AuditEvent]:
    if organization_id is None:
        return AuditEvent.objects.select_related("organization")
    return AuditEvent.objects.filter(organization_id=organization_id)


def _matching(organization_id: UUID | None, filters: AuditFilter) -> QuerySet[AuditEvent]:
    rows = _of(organization_id)
    if filters.organization_ids is not None:
        rows = rows.filter(organization_id__in=filters.organization_ids)
    if filters.actor_id is not None:
        rows = rows.filter(Q(actor_id=filters.actor_id) | Q(impersonator_id=filters.actor_id))
    if "." in filters.action:
        rows = rows.filter(action=filters.action)
    elif filters.action:
        rows = rows.filter(action__startswith=f"{filters.action}.")
    if filters.object_type:
        rows = rows.filter(object_type=filters.object_type)
    if filters.object_id:
        rows = rows.filter(object_id=filters.object_id)
    if filters.since is not None:
        rows = rows.filter(created_at__gte=filters.since)
    if filters.until is not None:
        rows = rows.filter(created_at__lt=filters.until)
    return rows.order_by("-created_at", "-id")


def _beyond(
    rows: QuerySet[AuditEvent], log: QuerySet[AuditEvent], after: UUID
) -> QuerySet[AuditEvent]:
    last = log.filter(id=after).values_list("created_at", "id").first()
    if last is None:
        raise InvalidInputError("`after` is not an event of this log.", param="after")
    return rows.filter(Q(created_at__lt=last[0]) | Q(created_at=last[0], id__lt=last[1]))


def _row(event: AuditEvent, *, is_named: bool) -> dict[str, str]:
    return {
        "organization_id": str(event.organization_id or ""),
        "organization": event.organization.name if is_named and event.organization else "",
        "created_at": event.created_at.isoformat(),
        "actor_kind": event.actor_kind,
        "actor": event.actor_label,
        "impersonator": event.impersonator_label,
        "action": event.action,
        "object_type": event.object_type,
        "object_id": event.object_id,
        "object_label": event.object_label,
        "changes": orjson.dumps(event.changes).decode(),
        "ip": event.ip or "",
        "user_agent": event.user_agent,
        "request_id": event.request_id,
    }
