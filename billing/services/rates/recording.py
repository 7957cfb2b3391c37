"""Keep what a source has published: each rate once, with the cross rates made of it."""

from collections.abc import Collection, Iterable, Iterator
from datetime import datetime
from decimal import ROUND_HALF_UP, Context, Decimal
from typing import Final, NamedTuple

from django.db import connection, transaction

from billing.currencies import MINOR_DIGITS
from billing.models import CandidateStatus, FxRate, PriceKind, PriceVersion, RateCandidate
from billing.services.accounts import PLATFORM_CURRENCY
from billing.services.prices import PLATFORM_BOOK
from billing.sources import ecb
from billing.sources.types import DECIMALS, PublishedRate

LARGEST_STEP: Final = Decimal("0.20")
"""The most a rate may differ from the one before, as a fraction of it, to be used unasked."""

_EXACT: Final = Context(prec=60, rounding=ROUND_HALF_UP)
_SMALLEST: Final = Decimal(1).scaleb(-DECIMALS)
# Any number that nothing else locks.
_LOCK: Final = 6_410_277_001


class Recorded(NamedTuple):
    """How many rates were new, and how many of those were kept aside; cross rates not counted."""

    added: int
    aside: int


class _Key(NamedTuple):
    base: str
    quote: str
    as_of: datetime


def record_rates(*, source: str, rates: Iterable[PublishedRate], now: datetime) -> Recorded:
    """Keep published rates; those that are known change nothing, however often they come.

    One that differs from the one before by more than `LARGEST_STEP` becomes a candidate, which
    finance decides about. One transaction, which waits for any other of its kind.

    Args:
        source: Under whose name.
        rates: Of any days; currencies outside ISO 4217 are left out.
        now: When they are recorded.
    """
    usable = [one for one in rates if {one.base, one.quote} <= MINOR_DIGITS.keys()]
    with transaction.atomic():
        _lock()
        known = _known(source, {one.as_of for one in usable})
        new = [one for one in usable if _Key(one.base, one.quote, one.as_of) not in known]
        kept, aside = _sort_out(source, new, now=now)
        FxRate.objects.bulk_create(kept)
        RateCandidate.objects.bulk_create(aside)
        add_cross_rates(source=source, instants={one.as_of for one in kept}, now=now)
    return Recorded(len(kept), len(aside))


def add_cross_rates(*, source: str, instants: Collection[datetime], now: datetime) -> None:
    """Make the rates from list prices' currencies to all others, by way of the euro.

    Only of legs of one source and instant, and only those that do not exist. Joins the caller's
    transaction.
    """
    legs: dict[datetime, dict[str, FxRate]] = {}
    for leg in FxRate.objects.filter(source=source, base=ecb.BASE, as_of__in=instants):
        legs.setdefault(leg.as_of, {})[leg.quote] = leg
    if not legs:
        return
    known = _known(source, instants)
    FxRate.objects.bulk_create(
        rate
        for base in list_currencies() - {ecb.BASE}
        for of_day in legs.values()
        for rate in _crosses(base, of_day, now=now)
        if _Key(rate.base, rate.quote, rate.as_of) not in known
    )


def list_currencies() -> set[str]:
    """Return what list prices of the platform's book are in."""
    prices = PriceVersion.objects.filter(kind=PriceKind.LIST, price_book=PLATFORM_BOOK)
    return {PLATFORM_CURRENCY, *prices.values_list("currency", flat=True).distinct()}


def is_too_far(rate: Decimal, *, previous: Decimal) -> bool:
    """Return whether a rate is too far from the one before to be used unasked."""
    return abs(rate - previous) > LARGEST_STEP * previous


def cross_rate(*, base_leg: Decimal, quote_leg: Decimal) -> Decimal:
    """Return `quote_leg / base_leg`, rounded half up to ten decimals."""
    return _EXACT.divide(quote_leg, base_leg).quantize(_SMALLEST, context=_EXACT)


def _crosses(base: str, legs: dict[str, FxRate], *, now: datetime) -> Iterator[FxRate]:
    base_leg = legs.get(base)
    if base_leg is None:
        return
    others: list[tuple[str, FxRate | None]] = [
        (ecb.BASE, None),
        *((quote, leg) for quote, leg in legs.items() if quote != base),
    ]
    for quote, leg in others:
        rate = cross_rate(base_leg=base_leg.rate, quote_leg=leg.rate if leg else Decimal(1))
        if rate > 0:
            yield FxRate(
                base=base,
                quote=quote,
                rate=rate,
                source=base_leg.source,
                as_of=base_leg.as_of,
                base_leg=base_leg,
                quote_leg=leg,
                created_at=now,
            )


def _lock() -> None:
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(%s)", [_LOCK])


def _known(source: str, instants: Collection[datetime]) -> set[_Key]:
    of_source = {"source": source, "as_of__in": instants}
    fields = ("base", "quote", "as_of")
    return {
        _Key(*row)
        for rows in (FxRate.objects, RateCandidate.objects)
        for row in rows.filter(**of_source).values_list(*fields)
    }


def _sort_out(
    source: str, rates: list[PublishedRate], *, now: datetime
) -> tuple[list[FxRate], list[RateCandidate]]:
    """Tell what is used from what is kept aside, day by day."""
    kept: list[FxRate] = []
    aside: list[RateCandidate] = []
    last: dict[tuple[str, str], FxRate | None] = {}
    for one in sorted(rates, key=lambda rate: rate.as_of):
        pair = (one.base, one.quote)
        if pair not in last:
            last[pair] = _before(source, one)
        previous = last[pair]
        terms = {
            "base": one.base,
            "quote": one.quote,
            "rate": one.rate,
            "source": source,
            "as_of": one.as_of,
            "created_at": now,
        }
        if previous is not None and is_too_far(one.rate, previous=previous.rate):
            status = CandidateStatus.WAITING.value
            aside.append(RateCandidate(**terms, previous=previous, status=status))
        else:
            last[pair] = used = FxRate(**terms)
            kept.append(used)
    return kept, aside


def _before(source: str, rate: PublishedRate) -> FxRate | None:
    return (
        FxRate.objects.filter(source=source, base=rate.base, quote=rate.quote, as_of__lt=rate.as_of)
        .order_by("-as_of")
        .first()
    )
