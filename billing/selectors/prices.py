"""Read prices in force."""

from dataclasses import dataclass
from datetime import datetime

from billing.models import PriceVersion
from billing.types import PriceView


def active_prices(*, kind: str, now: datetime, price_book: str = "platform") -> list[PriceView]:
    """Return the newest active version of every price of a book, by model, size and quality."""
    fields = ("model_key", "route", "size", "quality")
    versions = (
        PriceVersion.objects.filter(kind=kind, price_book=price_book, active_from__lte=now)
        .order_by(*fields, "-active_from", "-id")
        .distinct(*fields)
    )
    return [_view(version) for version in versions]


@dataclass(frozen=True, slots=True)
class PublishedPrice:
    """A version of a price and how it came to be, whether past, in force or yet to come."""

    price: PriceView
    created_at: datetime
    created_by: str


def price_history(*, model_key: str, limit: int) -> list[PublishedPrice]:
    """Return the versions of a model's list prices in every book, the latest to begin first."""
    versions = PriceVersion.objects.filter(kind="list", model_key=model_key)
    return [publish(version) for version in versions.order_by("-active_from", "-id")[:limit]]


def publish(version: PriceVersion) -> PublishedPrice:
    """Return a version with how it came to be."""
    return PublishedPrice(_view(version), version.created_at, version.created_by)


def _view(version: PriceVersion) -> PriceView:
    return PriceView(
        id=version.id,
        kind=version.kind,
        price_book=version.price_book,
        model_key=version.model_key,
        route=version.route,
        size=version.size,
        quality=version.quality,
        unit=version.unit,
        amount=version.amount,
        base_amount=version.base_amount,
        base_pixels=version.base_pixels,
        input_amount=version.input_amount,
        currency=version.currency,
        source=version.source,
        source_date=version.source_date,
        active_from=version.active_from,
    )
