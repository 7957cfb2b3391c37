"""Read what an organization was charged, one row for each generation: what figures sum up."""

from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any, Final
from uuid import UUID

from django.db import connection

from billing.selectors.captures import CAPTURES
from gateway.selectors.figures import Scope, day_bounds
from gateway.selectors.pages import MAX_LIMIT, Place
from gateway.selectors.rollups import NO_KEY

_ROWS: Final = f"""
SELECT capture.reference::uuid, captured_at, coalesce(generation.model, ''), capture.api_key_id,
    coalesce(generation."user", ''), images, amount_micros, capture.currency
FROM ({CAPTURES}) AS capture
LEFT JOIN gateway_generation AS generation ON generation.id = reference::uuid
WHERE {{conditions}}
ORDER BY captured_at DESC, capture.reference DESC
LIMIT %(limit)s
"""  # noqa: S608 - made of constants
# Whoever was authorized in a month was charged soon after.
_AFTER_MONTH: Final = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class ChargeFilters:
    """Which charges.

    Attributes:
        scope: Those of whole days, of a model, key or user.
        month: Instead of the days, what the budgets of this month have counted.
    """

    scope: Scope
    month: date | None = None


@dataclass(frozen=True, slots=True)
class Charge:
    """What one generation was charged, in micros of `currency`. `api_key_id` None: the console."""

    generation_id: UUID
    captured_at: datetime
    model: str
    api_key_id: UUID | None
    user: str
    images: int
    amount_micros: int
    currency: str

    @property
    def unit_micros(self) -> int:
        """Return what each image cost."""
        return self.amount_micros // self.images

    @property
    def place(self) -> Place:
        """Return where the list goes on after it."""
        return Place(self.captured_at, self.generation_id)


@dataclass(frozen=True, slots=True)
class ChargePage:
    """Some charges, newest first; `next_place` is None at the end."""

    charges: tuple[Charge, ...]
    next_place: Place | None


def list_charges(*, filters: ChargeFilters, limit: int, after: Place | None = None) -> ChargePage:
    """Return a page of charges, newest first. One query.

    Args:
        filters: Whose, and which of them.
        limit: Most to return, at most `MAX_LIMIT`.
        after: The `next_place` of the page before.
    """
    limit = max(1, min(limit, MAX_LIMIT))
    scope = filters.scope
    since, until = day_bounds(scope)
    params: dict[str, Any] = {
        "organization_id": scope.organization_id,
        "since": since,
        "until": until,
        "limit": limit + 1,
    }
    conditions = ["true"]
    if filters.month is not None:
        params |= {"month": filters.month, "until": until + _AFTER_MONTH}
        conditions.append("capture.budget_period = %(month)s")
    if scope.model is not None:
        params["model"] = scope.model
        conditions.append("generation.model = %(model)s")
    if scope.user is not None:
        params["user"] = scope.user
        conditions.append("""coalesce(generation."user", '') = %(user)s""")
    if scope.api_key_id is not None:
        params["api_key_id"] = None if str(scope.api_key_id) == NO_KEY else scope.api_key_id
        conditions.append("capture.api_key_id IS NOT DISTINCT FROM %(api_key_id)s::uuid")
    if after is not None:
        params |= {"place_at": after.created_at, "place_id": str(after.generation_id)}
        conditions.append("(captured_at, capture.reference) < (%(place_at)s, %(place_id)s)")
    with connection.cursor() as cursor:
        cursor.execute(_ROWS.format(conditions=" AND ".join(conditions)), params)
        charges = tuple(Charge(*row) for row in cursor)
    shown = charges[:limit]
    return ChargePage(shown, shown[-1].place if len(charges) > limit else None)
