"""The pairs of currencies that something may be sold in."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Final

from django.db.models import Exists, OuterRef

from billing.models import Account, AccountCode, Posting, PriceKind, PriceVersion
from billing.selectors.rates.force import (
    SAMPLE,
    RateInForce,
    followed_sources,
    rates_in_force,
)
from billing.selectors.rates.history import rates_since
from orgs.models import Organization

CHART_DAYS: Final = 90
_REPORTING: Final = "USD"


@dataclass(frozen=True, slots=True)
class PairView:
    """A pair with the rate in force, if there is one, and whose rates it follows."""

    base: str
    quote: str
    in_force: RateInForce | None
    follows: list[str]

    @property
    def name(self) -> str:
        """Return it as people write it."""
        return f"{self.base}/{self.quote}"


def list_pairs(*, now: datetime, is_needed: bool = False) -> list[PairView]:
    """Return the pairs from list prices' currencies to all that money is kept in. Three queries.

    Args:
        now: The instant.
        is_needed: Only into what organizations pay in, and what money was exchanged into, which is
            revalued. Accounts alone are no reason to watch a rate: a payment that fits nothing
            opens some in whatever currency it is.
    """
    prices = PriceVersion.objects.filter(kind=PriceKind.LIST, price_book="platform")
    bases = {_REPORTING, *prices.values_list("currency", flat=True).distinct()}
    kept = Account.objects.filter(organization__isnull=True, code=AccountCode.FX_CLEARING)
    if is_needed:
        paying = Organization.objects.filter(currency=OuterRef("currency"), purged_at__isnull=True)
        exchanged = Posting.objects.filter(account_id=OuterRef("id"), chain_seq__isnull=True)
        kept = kept.filter(Exists(paying) | Exists(exchanged))
    quotes = sorted(kept.values_list("currency", flat=True))
    pairs = [(base, quote) for base in sorted(bases) for quote in quotes if base != quote]
    rates = rates_in_force(pairs=pairs, at=now)
    return [
        PairView(base, quote, rates.get((base, quote)), followed_sources(f"{base}/{quote}"))
        for base, quote in pairs
    ]


def get_pair(*, base: str, quote: str, now: datetime) -> PairView:
    """Return one pair, whether anything is sold in it or not. One query."""
    rate = rates_in_force(pairs=[(base, quote)], at=now).get((base, quote))
    return PairView(base, quote, rate, followed_sources(f"{base}/{quote}"))


def rates_by_day(
    *, base: str, quote: str, now: datetime
) -> tuple[list[str], dict[str, list[Decimal | None]]]:
    """Return the days of the last 90 that have rates, and each source's newest rate of each."""
    rows = rates_since(
        base=base,
        quote=quote,
        sources=[*followed_sources(f"{base}/{quote}"), "manual", SAMPLE],
        since=now - timedelta(days=CHART_DAYS),
        until=now,
    )
    days = sorted({as_of.date().isoformat() for _, as_of, _ in rows})
    found: dict[str, dict[str, Decimal]] = {}
    for source, as_of, rate in rows:
        found.setdefault(source, {})[as_of.date().isoformat()] = rate
    return days, {name: [rates.get(day) for day in days] for name, rates in sorted(found.items())}
