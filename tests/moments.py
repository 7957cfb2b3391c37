"""Moments that are the same on every day that the tests are run."""

import time
from datetime import date, datetime, timedelta

from core.clock import now

HOUR_S = 3600
DAY_S = 24 * HOUR_S


def today() -> date:
    """Return the day in UTC, which need not be the one on which the suite began."""
    return now().date()


def next_month() -> datetime:
    """Return a moment of the second day of the month after this one.

    What is due once a month is over is then due for this month, and for no other.
    """
    return (now().replace(day=1) + timedelta(days=32)).replace(day=2)


def wait_out(period_s: int, *, last_s: float) -> None:
    """Wait for the next period of UTC to begin if only the last seconds of this one are left.

    For what no test can hand a moment to: pages and processes that read the clock themselves.

    Args:
        period_s: A minute, an hour: with an hour, days, months and their like of every time zone.
        last_s: How long at most the test takes for what must be of one period.
    """
    left = period_s - time.time() % period_s
    if left < last_s:
        time.sleep(left)
