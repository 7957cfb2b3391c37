"""By which secret of the server API keys are hashed."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from django.db.models import Q

from orgs.models import ApiKey


@dataclass(frozen=True, slots=True)
class KeyHash:
    """A key that works, or the secret it had before, while that works.

    Attributes:
        hashed_by: Fingerprint of the secret; empty if it was not used since that is kept.
        is_previous: It is the secret before a rotation of the key.
    """

    api_key_id: UUID
    organization_id: UUID
    name: str
    hashed_by: str
    last_used_at: datetime | None
    is_previous: bool


def list_key_hashes(*, now: datetime) -> Iterator[KeyHash]:
    """Yield every key that is neither revoked nor expired, those unused for longest first."""
    alive = Q(expires_at__isnull=True) | Q(expires_at__gt=now)
    rows = ApiKey.objects.filter(alive, revoked_at__isnull=True)
    for row in rows.order_by("last_used_at", "id").iterator(chunk_size=1000):
        yield _hash(row, row.hashed_by, is_previous=False)
        if row.previous_expires_at is not None and row.previous_expires_at > now:
            yield _hash(row, row.previous_hashed_by, is_previous=True)


def _hash(row: ApiKey, hashed_by: str, *, is_previous: bool) -> KeyHash:
    return KeyHash(
        api_key_id=row.id,
        organization_id=row.organization_id,
        name=row.name,
        hashed_by=hashed_by,
        last_used_at=row.last_used_at,
        is_previous=is_previous,
    )
