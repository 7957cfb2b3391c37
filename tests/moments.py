"""Moments that are the same on every day that the tests are run."""

from datetime import datetime, timedelta

from core.clock import now


def next_month() -> datetime:
    """Return a moment of the second day of the month after this one.

    What is due once a month is over is then due for this month, and for no other.
    """
    return (now().replace(day=1) + timedelta(days=32)).replace(day=2)
