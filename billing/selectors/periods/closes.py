"""Reading which months are closed."""

from dataclasses import dataclass
from datetime import date, datetime
from typing import Final

from django.db import connection

from billing.models import PeriodClose
from billing.selectors.periods.months import end_of, following, last_day_of, month_of

_NEXT: Final = """
SELECT (SELECT max(month) FROM billing_periodclose),
    (SELECT min(effective_at) FROM billing_journalentry)
"""


@dataclass(frozen=True, slots=True)
class ClosedMonth:
    """A closed month: who closed it when, and the SHA-256 of what the books said."""

    month: date
    closed_at: datetime
    closed_by: str
    digest: str
    entries: int

    @property
    def last_day(self) -> date:
        """Return its last day."""
        return last_day_of(self.month)


def open_from() -> datetime | None:
    """Return the instant from which on entries may take effect; None while nothing is closed."""
    last = PeriodClose.objects.order_by("-month").values_list("month", flat=True).first()
    return None if last is None else end_of(last)


def next_month() -> date | None:
    """Return the month to be closed next: the first that is open; None before the first entry."""
    with connection.cursor() as cursor:
        cursor.execute(_NEXT)
        row: tuple[date | None, datetime | None] = cursor.fetchone() or (None, None)
    last, first = row
    if last is not None:
        return following(last)
    return None if first is None else month_of(first)


def list_closed(*, limit: int) -> list[ClosedMonth]:
    """Return the closed months, the last one first."""
    return [
        ClosedMonth(
            row.month,
            row.closed_at,
            row.closed_by_label,
            bytes(row.digest).hex(),
            sum(day["entries"] for day in row.content["days"]),
        )
        for row in PeriodClose.objects.order_by("-month")[:limit]
    ]
