"""Read the price book as finance keeps it: books, versions with how they came to be, markups."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Final
from uuid import UUID

from django.db.models import Q, QuerySet

from billing.models import Markup, PriceKind, PriceVersion
from billing.selectors.prices import PublishedPrice, publish
from billing.types import PriceView

_CELL = ("model_key", "size", "quality")
_COST = ("route", "unit", "size", "quality")
MOST_VERSIONS: Final = 200


@dataclass(frozen=True, slots=True)
class Book:
    """A price book with the currency of its prices."""

    name: str
    currency: str


@dataclass(frozen=True, slots=True)
class MarkupVersion:
    """A markup that is past, in force or yet to come.

    `rate` is a fraction: 0.05 is 5 percent; None took away what was there before.
    """

    id: int
    scope: str
    organization_id: UUID | None
    organization_name: str
    model_key: str
    rate: Decimal | None
    active_from: datetime
    created_at: datetime
    created_by: str

    @property
    def subject(self) -> tuple[UUID | None, str]:
        """Return what it applies to: one markup of a subject is in force at a time."""
        return self.organization_id, self.model_key


def list_books() -> list[Book]:
    """Return the books that have list prices, by name."""
    rows = PriceVersion.objects.filter(kind=PriceKind.LIST.value)
    names = rows.order_by("price_book", "currency").values_list("price_book", "currency")
    return [Book(*row) for row in names.distinct()]


def book_prices(*, book: Book, now: datetime) -> tuple[list[PublishedPrice], list[PublishedPrice]]:
    """Return a book's list prices in force and those to come, by model and cell. Two queries."""
    rows = PriceVersion.objects.filter(
        kind=PriceKind.LIST.value, price_book=book.name, currency=book.currency
    )
    active = (
        rows.filter(active_from__lte=now).order_by(*_CELL, "-active_from", "-id").distinct(*_CELL)
    )
    coming = rows.filter(active_from__gt=now).order_by(*_CELL, "active_from", "id")
    return [publish(row) for row in active], [publish(row) for row in coming]


def active_costs(*, now: datetime) -> list[PriceView]:
    """Return what providers charge us in force: a version for each figure of each route."""
    return [publish(row).price for row in _active_costs(now)]


def route_costs(
    *, route: str, now: datetime
) -> tuple[list[PublishedPrice], list[PublishedPrice], list[PublishedPrice]]:
    """Return a route's costs in force and to come by figure, and the past ones, the latest first.

    At most 200 past ones. Two queries.
    """
    active = list(_active_costs(now).filter(route=route))
    rows = PriceVersion.objects.filter(kind=PriceKind.COST.value, route=route)
    found = rows.order_by("-active_from", "-id")[:MOST_VERSIONS]
    current = {row.id for row in active}
    coming = [row for row in found if row.active_from > now]
    past = [row for row in found if row.active_from <= now and row.id not in current]
    return (
        [publish(row) for row in active],
        [publish(row) for row in reversed(coming)],
        [publish(row) for row in past],
    )


def _active_costs(now: datetime) -> QuerySet[PriceVersion]:
    rows = PriceVersion.objects.filter(kind=PriceKind.COST.value, active_from__lte=now)
    return rows.order_by(*_COST, "-active_from", "-id").distinct(*_COST)


def cell_history(
    *, book: str, model_key: str, size: str, quality: str, limit: int
) -> list[PublishedPrice]:
    """Return the versions of one cell's list price, the latest to begin first."""
    rows = PriceVersion.objects.filter(
        kind=PriceKind.LIST.value,
        price_book=book,
        model_key=model_key,
        size=size,
        quality=quality,
    )
    return [publish(row) for row in rows.order_by("-active_from", "-id")[:limit]]


def standing_markups(*, now: datetime) -> Mapping[str, Decimal]:
    """Return the markups in force that are no organization's, by model; the platform's under ''."""
    rows = (
        Markup.objects.filter(organization__isnull=True, active_from__lte=now)
        .order_by("model_key", "-active_from", "-id")
        .distinct("model_key")
    )
    found = rows.values_list("model_key", "rate")
    return {model_key: rate for model_key, rate in found if rate is not None}


def list_markups(
    *, limit: int, organization_id: UUID | None = None, model_key: str = ""
) -> list[MarkupVersion]:
    """Return the versions of markups, the latest to begin first; of some, or of all."""
    chosen = Q()
    if organization_id is not None:
        chosen &= Q(organization_id=organization_id)
    if model_key:
        chosen &= Q(model_key=model_key)
    rows = Markup.objects.filter(chosen).select_related("organization")
    return [
        MarkupVersion(
            id=row.id,
            scope=row.scope,
            organization_id=row.organization_id,
            organization_name="" if row.organization is None else row.organization.name,
            model_key=row.model_key,
            rate=row.rate,
            active_from=row.active_from,
            created_at=row.created_at,
            created_by=row.created_by,
        )
        for row in rows.order_by("-active_from", "-id")[:limit]
    ]


def markup_in_force(
    *, organization_id: UUID | None, model_key: str, now: datetime
) -> Decimal | None:
    """Return the markup of exactly this subject; None while it has none of its own."""
    whose = Q(organization=None) if organization_id is None else Q(organization_id=organization_id)
    rows = Markup.objects.filter(whose, model_key=model_key, active_from__lte=now)
    newest = rows.order_by("-active_from", "-id").first()
    return None if newest is None else newest.rate
