"""The days on which sources publish, so that a rate does not age while its source rests.

Sources: the ECB publishes on the opening days of TARGET (its press release of 14 December 2000:
closed at weekends, on 1 January, Good Friday, Easter Monday, 1 May, 25 and 26 December); Banco de
Mexico on banking days (CNBV's calendar of closing days for 2026, article 74 of the labor law).
Read 2026-11.
"""

from collections.abc import Mapping
from datetime import date, datetime, timedelta
from types import MappingProxyType
from typing import Final

_SATURDAY: Final = 5
_MONDAY: Final = 0
_DAY: Final = timedelta(days=1)
_TARGET: Final = frozenset({(1, 1), (5, 1), (12, 25), (12, 26)})
_MEXICO: Final = frozenset({(1, 1), (5, 1), (9, 16), (11, 2), (12, 12), (12, 25)})
# Days of Mexico that are kept on a Monday: the month, and which of its Mondays.
_MEXICAN_MONDAYS: Final = frozenset({(2, 1), (3, 3), (11, 3)})
# Days from Easter Sunday: Good Friday and Easter Monday; Maundy Thursday and Good Friday.
_AT_EASTER: Final[Mapping[str, frozenset[int]]] = MappingProxyType(
    {"ecb": frozenset({-2, 1}), "banxico": frozenset({-3, -2})}
)


def is_open(source: str, day: date) -> bool:
    """Return whether a source publishes a rate for this day; one that is unknown always does."""
    if source not in _AT_EASTER:
        return True
    if day.weekday() >= _SATURDAY or (day - _easter(day.year)).days in _AT_EASTER[source]:
        return False
    if source == "ecb":
        return (day.month, day.day) not in _TARGET
    monday = (day.month, (day.day - 1) // 7 + 1)
    is_kept = day.weekday() == _MONDAY and monday in _MEXICAN_MONDAYS
    return (day.month, day.day) not in _MEXICO and not is_kept


def oldest_fresh(source: str, *, now: datetime, days: int) -> datetime:
    """Return the instant before which a rate of a source is too old.

    Goes back day by day; only those on which the source publishes count.
    """
    moment = now
    while days > 0:
        moment -= _DAY
        days -= is_open(source, moment.date())
    return moment


def age_days(source: str, *, as_of: datetime, now: datetime) -> int:
    """Return how many days on which the source publishes have begun since a rate's own."""
    day, age = as_of.date(), 0
    while (day := day + _DAY) <= now.date():
        age += is_open(source, day)
    return age


def _easter(year: int) -> date:
    """Return Easter Sunday of the Gregorian calendar (Meeus, Jones and Butcher's rule)."""
    golden = year % 19
    century, rest = divmod(year, 100)
    leap, odd = divmod(century, 4)
    moon = (19 * golden + century - leap - (century - (century + 8) // 25 + 1) // 3 + 15) % 30
    quarter, last = divmod(rest, 4)
    weekday = (32 + 2 * odd + 2 * quarter - moon - last) % 7
    shift = (golden + 11 * moon + 22 * weekday) // 451
    month, day = divmod(moon + weekday - 7 * shift + 114, 31)
    return date(year, month, day + 1)
