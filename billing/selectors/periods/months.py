"""Months of UTC, by their first day."""

from datetime import UTC, date, datetime, time, timedelta


def month_of(at: datetime) -> date:
    """Return the month of an instant."""
    return at.astimezone(UTC).date().replace(day=1)


def following(month: date) -> date:
    """Return the month after."""
    return (month.replace(day=1) + timedelta(days=32)).replace(day=1)


def begin_of(month: date) -> datetime:
    """Return the first instant of a month."""
    return datetime.combine(month.replace(day=1), time.min, tzinfo=UTC)


def end_of(month: date) -> datetime:
    """Return the first instant of the month after."""
    return begin_of(following(month))


def last_day_of(month: date) -> date:
    """Return the last day of a month."""
    return following(month) - timedelta(days=1)


def begin_of_day(day: date) -> datetime:
    """Return the first instant of a day."""
    return datetime.combine(day, time.min, tzinfo=UTC)


def end_of_day(day: date) -> datetime:
    """Return the first instant of the day after."""
    return begin_of_day(day + timedelta(days=1))
