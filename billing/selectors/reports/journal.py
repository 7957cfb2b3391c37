"""The journal in pages: postings in order of effect, of a period and of an account.

A page of few postings among millions must not read them all. An account with few postings is read
whole. Of any other the entries are read from the first day on which it moved, in windows of which
each has twice as many as the one before.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from typing import Any, Final
from uuid import UUID

from django.db import connection

# So many postings are read and sorted in some tens of milliseconds.
FEW: Final = 20_000
FIRST_WINDOW: Final = 1000
LARGEST_WINDOW: Final = 64_000
NOBODY: Final = UUID(int=0)

LINES: Final = """
SELECT entry.effective_at, entry.booked_at, entry.id, posting.line, entry.kind,
    entry.idempotency_key, entry.reference, entry.description, account.code,
    account.organization_id, posting.direction, posting.amount_micros, posting.currency,
    posting.reference
FROM billing_journalentry AS entry
JOIN {postings} AS posting ON posting.entry_id = entry.id
JOIN billing_account AS account ON account.id = posting.account_id
"""
_ACCOUNTS: Final = """
SELECT account.id, account.organization_id IS NOT NULL, coalesce(sum(moved.lines), 0),
    min(moved.day) FILTER (WHERE moved.day >= %(first)s)
FROM billing_account AS account
LEFT JOIN (
    SELECT account_id, day, lines FROM billing_accountday
    UNION ALL
    SELECT account_id, day, lines FROM billing_postingfact
) AS moved ON moved.account_id = account.id
WHERE account.code = %(code)s AND account.currency = %(currency)s
GROUP BY account.id
"""
# Only this makes the planner begin with the account, which has an index of its own.
_OF_ACCOUNTS: Final = f"""
WITH own AS MATERIALIZED (
    SELECT * FROM billing_posting
    WHERE account_id = ANY(%(accounts)s) AND chain_seq IS {{chained}} NULL
)
{LINES.format(postings="own")}
WHERE entry.effective_at >= %(begins)s AND entry.effective_at < %(ends)s
    AND (entry.effective_at, entry.id, posting.line) > (%(at)s, %(entry)s, %(line)s)
ORDER BY entry.effective_at, entry.id, posting.line
LIMIT %(limit)s
"""  # noqa: S608 - made of constants
_OF_WINDOW: Final = f"""{LINES.format(postings="billing_posting")}
WHERE {{window}}
    AND (%(code)s::text IS NULL OR account.code = %(code)s)
    AND (%(currency)s::text IS NULL OR account.currency = %(currency)s)
ORDER BY entry.effective_at, entry.id, posting.line
LIMIT %(limit)s
"""
_END: Final = """
SELECT effective_at, id FROM billing_journalentry
WHERE effective_at >= %(at)s AND effective_at < %(ends)s AND (effective_at, id) >= (%(at)s, %(id)s)
ORDER BY effective_at, id OFFSET %(entries)s LIMIT 1
"""
WINDOW: Final = """
    entry.effective_at >= %(at)s AND entry.effective_at <= %(until)s
    AND (entry.effective_at, entry.id) < (%(until)s, %(until_id)s)
    AND (entry.effective_at, entry.id, posting.line) > (%(at)s, %(entry)s, %(line)s)
"""
"""The postings of a window; the parameters are those of `Window.params`."""


@dataclass(frozen=True, slots=True)
class JournalLine:
    """One posting with its entry."""

    effective_at: datetime
    booked_at: datetime
    entry_id: UUID
    line: int
    kind: str
    key: str
    entry_reference: str
    description: str
    code: str
    organization_id: UUID | None
    direction: str
    amount_micros: int
    currency: str
    reference: str

    @property
    def debit(self) -> int | None:
        """Return the amount if it is a debit."""
        return self.amount_micros if self.direction == "debit" else None

    @property
    def credit(self) -> int | None:
        """Return the amount if it is a credit."""
        return self.amount_micros if self.direction == "credit" else None

    @property
    def place(self) -> "Place":
        """Return where it stands in the journal."""
        return Place(self.effective_at, self.entry_id, self.line)


@dataclass(frozen=True, slots=True)
class Place:
    """A place in the journal, which is in order of effect."""

    effective_at: datetime
    entry_id: UUID
    line: int


@dataclass(frozen=True, slots=True)
class Window:
    """A part of the journal: what is after a place, up to an entry that is not in it."""

    after: Place
    until: datetime
    until_id: UUID

    @property
    def params(self) -> dict[str, Any]:
        """Return the parameters of `WINDOW`."""
        return {**_after(self.after), "until": self.until, "until_id": self.until_id}


def list_journal(
    *,
    begins: date,
    ends: date,
    limit: int,
    after: Place | None = None,
    code: str | None = None,
    currency: str | None = None,
) -> list[JournalLine]:
    """Return postings effective in a period of UTC days, oldest first, both ends included.

    Args:
        begins: The first day,
        ends: and the last.
        limit: How many at most.
        after: The place of the last one of the page before.
        code: Only of accounts of a code and a currency, which come together.
        currency: Of the accounts.
    """
    first = begins if after is None else max(begins, after.effective_at.astimezone(UTC).date())
    if code is not None:
        accounts = _accounts(code, currency, first)
        lines = sum(one[2] for one in accounts)
        moved = [one[3] for one in accounts if one[3] is not None]
        if not moved or min(moved) > ends:
            return []
        first = max(first, min(moved))
        if lines <= FEW:
            return _of_accounts(accounts, start_at(first, after), ends, limit)
    found: list[JournalLine] = []
    for window in windows(start=start_at(first, after), ends=ends, entries=limit):
        params = {**window.params, "code": code, "currency": currency, "limit": limit - len(found)}
        found += _lines(_OF_WINDOW.format(window=WINDOW), params)
        if len(found) == limit:
            break
    return found


def start_at(day: date, after: Place | None) -> Place:
    """Return where to go on: after a place, or at the beginning of a day if that is later."""
    first = Place(_midnight(day), NOBODY, 0)
    return first if after is None or after.effective_at < first.effective_at else after


def windows(*, start: Place, ends: date, entries: int = 0) -> Iterator[Window]:
    """Yield the journal from a place to the end of a day, in windows that become larger.

    Args:
        start: What is after it.
        ends: The last day.
        entries: Of the first window, at least.
    """
    size = max(entries, FIRST_WINDOW)
    end = _midnight(ends + timedelta(days=1))
    while True:
        with connection.cursor() as cursor:
            cursor.execute(
                _END,
                {"at": start.effective_at, "id": start.entry_id, "ends": end, "entries": size},
            )
            row = cursor.fetchone()
        if row is None:
            yield Window(start, end, NOBODY)
            return
        yield Window(start, *row)
        # Lines count from one, so nothing of the entry itself is left out.
        start = Place(row[0], row[1], 0)
        size = min(2 * size, LARGEST_WINDOW)


def _of_accounts(
    accounts: list[tuple[UUID, bool, int, date | None]], start: Place, ends: date, limit: int
) -> list[JournalLine]:
    chained = "NOT" if accounts[0][1] else ""
    params = {
        **_after(start),
        "accounts": [one[0] for one in accounts],
        "begins": start.effective_at,
        "ends": _midnight(ends + timedelta(days=1)),
        "limit": limit,
    }
    return _lines(_OF_ACCOUNTS.format(chained=chained), params)


def _accounts(
    code: str, currency: str | None, first: date
) -> list[tuple[UUID, bool, int, date | None]]:
    """Return the accounts: whether an organization's, all lines, and when it moved next."""
    with connection.cursor() as cursor:
        cursor.execute(_ACCOUNTS, {"code": code, "currency": currency, "first": first})
        return [(row[0], row[1], int(row[2]), row[3]) for row in cursor.fetchall()]


def _lines(statement: str, params: dict[str, Any]) -> list[JournalLine]:
    with connection.cursor() as cursor:
        cursor.execute(statement, params)
        return [JournalLine(*row) for row in cursor.fetchall()]


def _after(place: Place) -> dict[str, Any]:
    return {"at": place.effective_at, "entry": place.entry_id, "line": place.line}


def _midnight(day: date) -> datetime:
    return datetime.combine(day, time.min, UTC)
