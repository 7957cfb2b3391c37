"""Rates as they were recorded."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from django.db.models import Max

from billing.models import FxRate


@dataclass(frozen=True, slots=True)
class RateRow:
    """One recorded rate; `legs` are what it was made of, as pairs and their rates."""

    id: int
    base: str
    quote: str
    rate: Decimal
    source: str
    as_of: datetime
    valid_until: datetime | None
    reason: str
    created_by: str
    created_at: datetime
    legs: tuple[tuple[str, Decimal], ...]


def newest_as_of(*, source: str, base: str) -> datetime | None:
    """Return the instant of the newest published rate of a source; None while there is none."""
    rows = FxRate.objects.filter(source=source, base=base, base_leg__isnull=True)
    newest: datetime | None = rows.aggregate(newest=Max("as_of"))["newest"]
    return newest


def list_rates(*, base: str, quote: str, before: int | None, limit: int) -> list[RateRow]:
    """Return the rates of a pair that were recorded last, the newest first; a page by row id."""
    rows = FxRate.objects.filter(base=base, quote=quote)
    if before is not None:
        rows = rows.filter(id__lt=before)
    return [
        _row(one) for one in rows.select_related("base_leg", "quote_leg").order_by("-id")[:limit]
    ]


def rates_since(
    *, base: str, quote: str, sources: Sequence[str], since: datetime, until: datetime
) -> list[tuple[str, datetime, Decimal]]:
    """Return source, instant and rate of what some sources said of a pair, the oldest first."""
    rows = FxRate.objects.filter(
        base=base, quote=quote, source__in=sources, as_of__gte=since, as_of__lte=until
    )
    return list(rows.order_by("as_of", "id").values_list("source", "as_of", "rate"))


def _row(rate: FxRate) -> RateRow:
    return RateRow(
        id=rate.id,
        base=rate.base,
        quote=rate.quote,
        rate=rate.rate,
        source=rate.source,
        as_of=rate.as_of,
        valid_until=rate.valid_until,
        reason=rate.reason,
        created_by=rate.created_by,
        created_at=rate.created_at,
        legs=tuple(
            (f"{leg.base}/{leg.quote}", leg.rate)
            for leg in (rate.base_leg, rate.quote_leg)
            if leg is not None
        ),
    )
