"""What must be done before a month is closed."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Final

from billing.selectors.periods.blockers import Unfinished, find_unfinished, missing_rates
from billing.selectors.periods.months import end_of
from billing.services.accounts import PLATFORM_CURRENCY

GRACE: Final = timedelta(hours=1)
"""How long after its end a month waits for what is being booked, as statements do."""


@dataclass(frozen=True, slots=True)
class Line:
    """One line of the checklist.

    Attributes:
        name: What it is about.
        is_done: Whether it no longer keeps the month open.
        count: How many things do.
        names: Some of them, for people.
        at: An instant it is about.
    """

    name: str
    is_done: bool
    count: int = 0
    names: tuple[str, ...] = ()
    at: datetime | None = None


def list_lines(*, month: date, now: datetime) -> list[Line]:
    """Return the checklist of a month. Two queries at most."""
    end = end_of(month)
    found = find_unfinished(month=month, reporting=PLATFORM_CURRENCY)
    return [
        Line("over", is_done=now >= end + GRACE, at=end + GRACE),
        _counted("holds", found.holds),
        _counted("transfers", found.undecided),
        _counted("unmatched", found.unmatched),
        # A rate of the last day may still be published.
        _rates(found, month=month, is_over=now >= end),
        _revaluation(found),
        _named("statements", found.without_statement),
    ]


def _rates(found: Unfinished, *, month: date, is_over: bool) -> Line:
    missing = missing_rates(reporting=PLATFORM_CURRENCY, currencies=found.currencies, month=month)
    return Line("rates", is_over and not missing, len(missing), tuple(missing))


def _revaluation(found: Unfinished) -> Line:
    is_done = not found.currencies or (found.revalued_at is not None and not found.late)
    names = tuple(found.currencies)
    return Line("revaluation", is_done, found.late, names, found.revalued_at)


def _counted(name: str, count: int) -> Line:
    return Line(name, is_done=count == 0, count=count)


def _named(name: str, found: list[str]) -> Line:
    return Line(name, is_done=not found, count=len(found), names=tuple(found[:5]))


MoreLines = Callable[[], list[Line]]
"""Lines that another app adds; called in the closing transaction."""
