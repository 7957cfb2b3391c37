"""Moments that are the same on every day that the tests are run."""

import time
from datetime import date, datetime, timedelta

from core.clock import now

HOUR_S = 3600
DAY_S = 24 * HOUR_S
_PAST_S = 10


def today() -> date:
    """Return the day in UTC, which need not be the one on which the suite began."""
    return now().date()


def next_month() -> datetime:
    """Return a moment of the second day of the month after this one.

    What is due once a month is over is then due for this month, and for no other.
    """
    return (now().replace(day=1) + timedelta(days=32)).replace(day=2)


def wait_out(period_s: int, *, last_s: float) -> None:
    """Wait for the next period of UTC if only the last seconds of this one are left.

    For what no test can hand a moment to: pages and processes that read the clock themselves. It
    goes on some seconds after the period has begun: tests book what was seconds ago, too.

    Args:
        period_s: An hour for the days and months of every time zone, or a day.
        last_s: How long at most the test takes for what must be of one period.
    """
    since = time.time() % period_s
    if since < _PAST_S:
        time.sleep(_PAST_S - since)
    elif since > period_s - last_s:
        time.sleep(period_s + _PAST_S - since)
