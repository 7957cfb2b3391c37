"""The inbox: somebody's exports, those on their way and those that have ended."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final
from uuid import UUID

from django.db.models import Q

from gateway.models import Export

LISTED: Final = 50
_OPEN: Final = (Export.Status.QUEUED, Export.Status.RUNNING)
# Nobody has to be told that a file is gone.
_TOLD: Final = (Export.Status.READY, Export.Status.FAILED)


@dataclass(frozen=True, slots=True)
class Inbox:
    """How many exports are on their way, and how many have ended that nobody has looked at."""

    running: int
    unseen: int


def list_exports(*, organization_id: UUID, user_id: UUID) -> Sequence[Export]:
    """Return somebody's last exports, newest first, without the images in them. One query."""
    rows = Export.objects.filter(organization_id=organization_id, created_by_id=user_id)
    return list(rows.defer("artifact_ids").order_by("-created_at")[:LISTED])


def look_into(*, organization_id: UUID, user_id: UUID) -> Inbox:
    """Count what is in somebody's inbox, among their last exports. One query."""
    rows = Export.objects.filter(organization_id=organization_id, created_by_id=user_id)
    newest = rows.order_by("-created_at").values_list("status", "seen_at")[:LISTED]
    states = list(newest)
    return Inbox(
        running=sum(status in _OPEN for status, _ in states),
        unseen=sum(status in _TOLD and seen is None for status, seen in states),
    )


def mark_seen(
    *, organization_id: UUID, user_id: UUID, now: datetime, export_id: UUID | None = None
) -> None:
    """Note that somebody has looked at the end of their exports, or of one of them."""
    ended = Export.objects.filter(
        Q() if export_id is None else Q(id=export_id),
        organization_id=organization_id,
        created_by_id=user_id,
        seen_at__isnull=True,
        status__in=_TOLD,
    )
    ended.update(seen_at=now)
