"""Gauges of money: open holds, unmatched payments, exchange rates and their age."""

from datetime import datetime, timedelta
from typing import Final

from django.db import connection

from billing.selectors.rates.pairs import list_pairs
from core.metrics.gauges import Gauges

# A hold past its deadline by so much should have been ended by the sweeper.
_GRACE: Final = timedelta(seconds=60)
# Read by the partial indexes of what is open, however many there ever were.
_OPEN: Final = """
SELECT count(*), coalesce(extract(epoch FROM %(now)s - min(authorized_at)), 0),
    count(*) FILTER (WHERE deadline_at < %(overdue)s),
    (SELECT count(*) FROM billing_unmatchedpayment WHERE status <> 'resolved')
FROM billing_hold
WHERE status = 'authorized'
"""


def read_gauges(*, now: datetime) -> Gauges:
    """Return the gauges. Four queries; those of rates are few rows each."""
    with connection.cursor() as cursor:
        cursor.execute(_OPEN, {"now": now, "overdue": now - _GRACE})
        holds, age_s, overdue, unmatched = cursor.fetchone()
    rates = [(pair.name, pair.in_force) for pair in list_pairs(now=now, is_needed=True)]
    return {
        "lienzo_open_holds": {(): holds},
        "lienzo_hold_age_seconds": {(): max(age_s, 0)},
        "lienzo_overdue_holds": {(): overdue},
        "lienzo_unmatched_payments": {(): unmatched},
        "lienzo_fx_rate": {(name,): rate.rate for name, rate in rates if rate is not None},
        # Rates by hand and samples do not age.
        "lienzo_fx_rate_age_seconds": {
            (name,): int((now - rate.as_of).total_seconds())
            for name, rate in rates
            if rate is not None and rate.age_days is not None
        },
    }
