"""Writing events for webhooks, in the transaction of what happened.

An event is written with one delivery for each endpoint that wants it, by one statement that writes
nothing where none does. `orgs.services.dispatcher` sends them after the commit.
"""

from collections.abc import Mapping
from datetime import datetime
from enum import StrEnum
from typing import Any, Final
from uuid import UUID

import orjson
from django.db import connection
from django.db.models import Exists, OuterRef

from orgs.models import WebhookEndpoint

RETRY_HOURS: Final = 24


class EventType(StrEnum):
    """What an endpoint may ask to be told of."""

    GENERATION_SUCCEEDED = "generation.succeeded"
    GENERATION_FAILED = "generation.failed"
    GENERATION_CANCELED = "generation.canceled"
    BALANCE_LOW = "balance.low"
    BUDGET_REACHED = "budget.reached"
    TOPUP_SUCCEEDED = "topup.succeeded"
    TOPUP_FAILED = "topup.failed"
    CREDIT_NOTE_ISSUED = "credit_note.issued"
    API_KEY_REVOKED = "api_key.revoked"


TEST_EVENT: Final = "webhook.test"
"""Sent on request to one endpoint, whatever that asks for."""

EVENT_CTES: Final = f"""
outbox_event AS (
    INSERT INTO orgs_outboxevent (id, organization_id, type, data, created_at)
    SELECT gen_random_uuid(), source.organization_id, '{{type}}', {{data}}, %(now)s::timestamptz
    FROM {{source}} AS source
    WHERE EXISTS (
        SELECT FROM orgs_webhookendpoint AS e
        WHERE e.organization_id = source.organization_id AND e.deleted_at IS NULL
            AND e.is_enabled AND e.events @> ARRAY['{{type}}']::varchar[]
    )
    RETURNING id, organization_id
), outbox_delivery AS (
    INSERT INTO orgs_webhookdelivery (
        id, event_id, endpoint_id, status, next_at, tries, failures, give_up_at, created_at
    )
    SELECT gen_random_uuid(), outbox_event.id, e.id, 'pending', %(now)s::timestamptz, '[]', 0,
        %(now)s::timestamptz + interval '{RETRY_HOURS} hours', %(now)s::timestamptz
    FROM outbox_event
    JOIN orgs_webhookendpoint AS e ON e.organization_id = outbox_event.organization_id
    WHERE e.deleted_at IS NULL AND e.is_enabled AND e.events @> ARRAY['{{type}}']::varchar[]
)
"""  # noqa: S608 - made of constants
"""Write an event of `{type}` for each row of `{source}`, which has an `organization_id`.

`{data}` is an SQL expression; `%(now)s` is the instant. Where no endpoint wants the event this is
one look into an index.
"""

_WRITE: Final = {
    kind: f"""
WITH happened AS (
    SELECT %(organization_id)s::uuid AS organization_id, %(data)s::jsonb AS data
), {EVENT_CTES.format(type=kind.value, source="happened", data="source.data")}
SELECT count(*) FROM outbox_event
"""  # noqa: S608 - made of constants
    for kind in EventType
}


def write_event(
    *, organization_id: UUID, kind: EventType, data: Mapping[str, object], now: datetime
) -> bool:
    """Write an event for all endpoints that want it; return whether any does. One statement.

    Joins the caller's transaction, and takes no lock that another waits for.

    Args:
        organization_id: Whose event.
        kind: Its type.
        data: Of a generation's event `generation_id` alone; of any other what is sent.
        now: When it happened.
    """
    params: dict[str, Any] = {
        "organization_id": organization_id,
        "data": orjson.dumps(data).decode(),
        "now": now,
    }
    with connection.cursor() as cursor:
        cursor.execute(_WRITE[kind], params)
        return bool(cursor.fetchone() == (1,))


def is_wanted(kind: EventType, *, organization: str = "organization_id") -> Exists:
    """Return a condition to select with a row: whether an endpoint wants such an event of it."""
    return Exists(
        WebhookEndpoint.objects.filter(
            organization_id=OuterRef(organization),
            deleted_at__isnull=True,
            is_enabled=True,
            events__contains=[kind],
        )
    )
