"""Invariants of exchange rates."""

from collections.abc import Iterator
from decimal import Decimal

from django.db.models import Q

from billing.models import FxRate
from billing.services.rates.recording import cross_rate
from billing.sources import ecb
from billing.types import Finding


def check_cross_rates() -> Iterator[Finding]:
    """Yield rates that are not what their legs make, or whose legs are of another day."""
    rows = FxRate.objects.filter(Q(base_leg__isnull=False) | Q(quote_leg__isnull=False))
    for rate in rows.select_related("base_leg", "quote_leg").order_by("id").iterator():
        if not _is_right(rate):
            message = f"{rate} of {rate.as_of:%Y-%m-%d} does not follow from its legs"
            yield Finding("fx_cross", "billing_fxrate", str(rate.id), message)


def _is_right(rate: FxRate) -> bool:
    base_leg, quote_leg = rate.base_leg, rate.quote_leg
    if base_leg is None or (quote_leg is None) != (rate.quote == ecb.BASE):
        return False
    made = cross_rate(base_leg=base_leg.rate, quote_leg=quote_leg.rate if quote_leg else Decimal(1))
    legs = [leg for leg in (base_leg, quote_leg) if leg is not None]
    same = all((leg.source, leg.as_of) == (rate.source, rate.as_of) for leg in legs)
    pair = (base_leg.quote, quote_leg.quote if quote_leg else ecb.BASE)
    return same and made == rate.rate and pair == (rate.base, rate.quote)
