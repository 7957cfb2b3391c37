"""What must be done before a month is closed."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Final

from billing.selectors.periods.blockers import (
    count_foreign_since,
    count_open_holds,
    count_undecided,
    count_unmatched,
    find_revaluation,
    foreign_currencies,
    missing_rates,
    without_statement,
)
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
    """Return the checklist of a month. Ten queries at most."""
    end = end_of(month)
    return [
        Line("over", is_done=now >= end + GRACE, at=end + GRACE),
        _counted("holds", count_open_holds(before=end)),
        _counted("transfers", count_undecided(before=end)),
        _counted("unmatched", count_unmatched(before=end)),
        *_exchange(month=month, now=now),
        _named("statements", without_statement(month)),
    ]


def _exchange(*, month: date, now: datetime) -> list[Line]:
    currencies = foreign_currencies(reporting=PLATFORM_CURRENCY, month=month)
    missing = missing_rates(reporting=PLATFORM_CURRENCY, currencies=currencies, month=month)
    booked_at = find_revaluation(month)
    if not currencies:
        revalued = Line("revaluation", is_done=True)
    elif booked_at is None:
        revalued = Line("revaluation", is_done=False, names=tuple(currencies))
    else:
        late = count_foreign_since(reporting=PLATFORM_CURRENCY, month=month, since=booked_at)
        revalued = Line("revaluation", late == 0, late, tuple(currencies), booked_at)
    # A rate of the last day may still be published.
    is_over = now >= end_of(month)
    rates = Line("rates", is_over and not missing, len(missing), tuple(missing))
    return [rates, revalued]


def _counted(name: str, count: int) -> Line:
    return Line(name, is_done=count == 0, count=count)


def _named(name: str, found: list[str]) -> Line:
    return Line(name, is_done=not found, count=len(found), names=tuple(found[:5]))


MoreLines = Callable[[], list[Line]]
"""Lines that another app adds; called in the closing transaction."""
