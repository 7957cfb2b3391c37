"""Figures of many organizations at once, and the last requests of one, for operators."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final
from uuid import UUID

from django.db import connection

from gateway.models import Generation
from orgs.models import Organization

# What the rollups have of the days since an organization's own instant, with the facts that are in
# none yet; and its newest request, from the index.
_FIGURES: Final = """
WITH own AS (
    SELECT * FROM unnest(%(ids)s::uuid[], %(firsts)s::timestamptz[]) AS own (id, since)
), counted AS (
    SELECT own.id, rollup.images, rollup.micros
    FROM own
    JOIN gateway_rollup AS rollup ON rollup.organization_id = own.id
        AND rollup.grain = 'day' AND rollup.kind = 'charged' AND rollup.livemode
        AND rollup.starts_at >= own.since
    UNION ALL
    SELECT own.id, fact.images, fact.micros
    FROM own
    JOIN gateway_fact AS fact ON fact.organization_id = own.id
        AND fact.kind = 'charged' AND fact.livemode AND fact.at >= own.since
), summed AS (
    SELECT id, sum(images)::bigint AS images, sum(micros)::bigint AS micros
    FROM counted GROUP BY id
)
SELECT own.id, coalesce(summed.images, 0), coalesce(summed.micros, 0), last.created_at
FROM own
LEFT JOIN summed USING (id)
LEFT JOIN LATERAL (
    SELECT generation.created_at FROM gateway_generation AS generation
    WHERE generation.organization_id = own.id
    ORDER BY generation.created_at DESC, generation.id DESC
    LIMIT 1
) AS last ON true
"""


@dataclass(frozen=True, slots=True)
class OrganizationFigures:
    """What an organization was charged for since an instant, and when it last asked."""

    images: int = 0
    charged_micros: int = 0
    last_request_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class RecentRequest:
    """A request as operators see it: without prompt and image."""

    id: UUID
    status: str
    model: str
    served_by: str
    livemode: bool
    charged_micros: int
    currency: str
    error_code: str
    error_message: str
    created_at: datetime
    finished_at: datetime | None


def organization_figures(since: Sequence[tuple[UUID, datetime]]) -> dict[UUID, OrganizationFigures]:
    """Return the figures of organizations, by id. One query.

    Args:
        since: Each organization, and when the first day that counts begins in its zone. While its
            rollups move to another zone, the days are those of the old one.
    """
    params: dict[str, Any] = {"ids": [one for one, _ in since], "firsts": [at for _, at in since]}
    with connection.cursor() as cursor:
        cursor.execute(_FIGURES, params)
        return {row[0]: OrganizationFigures(*row[1:]) for row in cursor}


def recent_requests(
    *, organization_id: UUID, limit: int, only_failed: bool = False
) -> list[RecentRequest]:
    """Return the newest requests of an organization, or of those that failed. One query."""
    rows = Generation.objects.filter(organization_id=organization_id)
    if only_failed:
        # As the index of those that did not succeed has it.
        rows = rows.filter(status=Generation.Status.FAILED)
    rows = rows.only(
        *("id", "status", "model", "served_by", "livemode", "charged_micros", "currency"),
        *("error", "created_at", "finished_at"),
    )
    return [
        RecentRequest(
            id=row.id,
            status=row.status,
            model=row.model,
            served_by=row.served_by,
            livemode=row.livemode,
            charged_micros=row.charged_micros,
            currency=row.currency,
            error_code=(row.error or {}).get("code") or "",
            error_message=(row.error or {}).get("message") or "",
            created_at=row.created_at,
            finished_at=row.finished_at,
        )
        for row in rows.order_by("-created_at", "-id")[:limit]
    ]


def organization_of(*, generation_id: UUID) -> Organization | None:
    """Return whose a generation is; None of an unknown one. One query."""
    rows = Generation.objects.select_related("organization").filter(id=generation_id)
    found = rows.only("organization").first()
    return None if found is None else found.organization
