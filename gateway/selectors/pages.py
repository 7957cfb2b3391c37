"""What pages of the console's lists have in common: their place, and filters of generations."""

import base64
import binascii
import struct
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import Any, Final
from uuid import UUID

from orgs.models import ApiKey

MAX_LIMIT: Final = 200
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_PLACE: Final = struct.Struct(">q16sH")
_VALUE: Final = struct.Struct(">q")


class Order(StrEnum):
    """What comes first: the newest, the slowest that has ended, or the dearest."""

    TIME = "time"
    DURATION = "duration"
    COST = "cost"


@dataclass(frozen=True, slots=True)
class Place:
    """Where a page ended: after this image of this generation, whose creation orders the list.

    A list in another order goes on after the `value` it is ordered by.
    """

    created_at: datetime
    generation_id: UUID
    index: int = 0
    value: int | None = None

    def as_text(self) -> str:
        """Return the cursor that stands in a URL."""
        micros = (self.created_at - _EPOCH) // timedelta(microseconds=1)
        packed = _PLACE.pack(micros, self.generation_id.bytes, self.index)
        if self.value is not None:
            packed += _VALUE.pack(self.value)
        return base64.urlsafe_b64encode(packed).decode().rstrip("=")

    @classmethod
    def parse(cls, text: str) -> "Place | None":
        """Return the place a cursor names; None if it is none."""
        try:
            packed = base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
            micros, uuid, index = _PLACE.unpack(packed[: _PLACE.size])
            rest = packed[_PLACE.size :]
            value: int | None = _VALUE.unpack(rest)[0] if rest else None
            created_at = _EPOCH + timedelta(microseconds=micros)
        except (binascii.Error, struct.error, ValueError, OverflowError):
            return None
        return cls(created_at, UUID(bytes=uuid), index, value)


@dataclass(frozen=True, slots=True)
class CommonFilters:
    """Which generations; None for any.

    Attributes:
        member_id: Asked for by this user in the console, or by a key that this user made.
        created_after: From this instant on.
        created_before: Earlier than this instant.
    """

    model: str | None = None
    api_key_id: UUID | None = None
    member_id: UUID | None = None
    livemode: bool | None = None
    created_after: datetime | None = None
    created_before: datetime | None = None


def keys_made_by(*, organization_id: UUID, member_id: UUID) -> list[UUID]:
    """Return the API keys that a member made. One query."""
    keys = ApiKey.objects.filter(organization_id=organization_id, created_by_id=member_id)
    return list(keys.values_list("id", flat=True))


def common_conditions(
    filters: CommonFilters, *, organization_id: UUID
) -> tuple[list[str], dict[str, Any]]:
    """Return the SQL conditions on `generation` and their parameters. One query for a member."""
    params: dict[str, Any] = {"organization_id": organization_id}
    conditions = ["generation.organization_id = %(organization_id)s"]
    for name, condition in _CONDITIONS:
        value = getattr(filters, name)
        if value is not None:
            conditions.append(condition)
            params[name] = value
    if filters.member_id is not None:
        conditions.append(
            "(generation.created_by_id = %(member_id)s"
            " OR generation.api_key_id = ANY(%(member_keys)s::uuid[]))"
        )
        params["member_id"] = filters.member_id
        params["member_keys"] = keys_made_by(
            organization_id=organization_id, member_id=filters.member_id
        )
    return conditions, params


def beyond(after: Place, value: str | None) -> tuple[str, dict[str, Any]]:
    """Return the condition of what comes after a place, with its parameters."""
    params: dict[str, Any] = {
        "after_created_at": after.created_at,
        "after_id": after.generation_id,
    }
    columns, places = "generation.created_at, generation.id", "%(after_created_at)s, %(after_id)s"
    if value is not None and after.value is not None:
        params["after_value"] = after.value
        columns, places = f"{value}, {columns}", f"%(after_value)s, {places}"
    return f"({columns}) < ({places})", params


_CONDITIONS: Final[Sequence[tuple[str, str]]] = (
    ("model", "generation.model = %(model)s"),
    ("api_key_id", "generation.api_key_id = %(api_key_id)s"),
    ("livemode", "generation.livemode = %(livemode)s"),
    ("created_after", "generation.created_at >= %(created_after)s"),
    ("created_before", "generation.created_at < %(created_before)s"),
)
# In the index of pages, so that no row is read that is not shown.
VALUES: Final = {
    Order.DURATION: (
        "(extract(epoch FROM generation.finished_at - generation.created_at) * 1000000)::bigint"
    ),
    Order.COST: "CASE WHEN generation.livemode THEN generation.charged_micros ELSE 0 END",
}
