"""Reading API keys for people; a secret, or its digest, is in none of this."""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from django.db.models import Q

from orgs.models import ApiKey


@dataclass(frozen=True, slots=True)
class KeyView:
    """A key as the console shows it: its terms, its state, and whose it is.

    Empty scopes, models and networks mean all, a limit of None no limit.

    Attributes:
        start: The readable start of the secret in use, by which its owner recognizes it.
        replaced_until: Until when the secret before a rotation still works, if it does.
    """

    id: UUID
    name: str
    livemode: bool
    start: str
    scopes: tuple[str, ...]
    models_allowed: tuple[str, ...]
    cidrs: tuple[str, ...]
    max_concurrent: int | None
    requests_per_minute: int | None
    images_per_minute: int | None
    expires_at: datetime | None
    revoked_at: datetime | None
    replaced_until: datetime | None
    last_used_at: datetime | None
    created_at: datetime
    owner_id: UUID | None
    owner: str
    is_alive: bool


def list_keys(
    *, organization_id: UUID, now: datetime, owner_id: UUID | None = None, with_ended: bool = True
) -> list[KeyView]:
    """Return an organization's keys, newest first, or those of one member. One query."""
    rows = ApiKey.objects.select_related("created_by").filter(organization_id=organization_id)
    if owner_id is not None:
        rows = rows.filter(created_by_id=owner_id)
    if not with_ended:
        rows = rows.filter(Q(expires_at__isnull=True) | Q(expires_at__gt=now), revoked_at=None)
    return [_view(row, now) for row in rows.order_by("-created_at", "-id")]


def find_key(*, organization_id: UUID, api_key_id: UUID, now: datetime) -> KeyView | None:
    """Return a key of the organization, or None."""
    rows = ApiKey.objects.select_related("created_by").filter(organization_id=organization_id)
    row = rows.filter(id=api_key_id).first()
    return None if row is None else _view(row, now)


def _view(row: ApiKey, now: datetime) -> KeyView:
    is_expired = row.expires_at is not None and row.expires_at <= now
    overlap = row.previous_expires_at
    return KeyView(
        id=row.id,
        name=row.name,
        livemode=row.livemode,
        start=f"lz_sk_{'live' if row.livemode else 'test'}_{row.lookup[:4]}",
        scopes=tuple(row.scopes),
        models_allowed=tuple(row.models_allowed),
        cidrs=tuple(row.cidrs),
        max_concurrent=row.max_concurrent,
        requests_per_minute=row.requests_per_minute,
        images_per_minute=row.images_per_minute,
        expires_at=row.expires_at,
        revoked_at=row.revoked_at,
        replaced_until=overlap if overlap is not None and overlap > now else None,
        last_used_at=row.last_used_at,
        created_at=row.created_at,
        owner_id=row.created_by_id,
        owner=row.created_by.email if row.created_by else "",
        is_alive=row.revoked_at is None and not is_expired,
    )
