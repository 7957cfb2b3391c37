"""Down from a sum of the trial balance: an account's days, its postings, and whole entries."""

from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from typing import Any, Final
from uuid import UUID

from django.db import connection

from billing.models import DEBIT_KINDS, Account

_DAYS: Final = """
SELECT day, sum(debit_micros)::bigint, sum(credit_micros)::bigint, sum(lines)::bigint
FROM (
    SELECT account_id, day, debit_micros, credit_micros, lines FROM billing_accountday
    UNION ALL
    SELECT account_id, day, debit_micros, credit_micros, lines FROM billing_postingfact
) AS moved
WHERE account_id IN (SELECT id FROM billing_account WHERE code = %s AND currency = %s)
    AND day BETWEEN %s AND %s
GROUP BY day
ORDER BY day
"""
_LINES: Final = """
SELECT entry.effective_at, entry.booked_at, entry.id, posting.line, entry.kind,
    entry.idempotency_key, entry.reference, entry.description, account.code,
    account.organization_id, posting.direction, posting.amount_micros, posting.currency,
    posting.reference
FROM billing_journalentry AS entry
JOIN billing_posting AS posting ON posting.entry_id = entry.id
JOIN billing_account AS account ON account.id = posting.account_id
"""
_POSTINGS: Final = f"""{_LINES}
WHERE entry.effective_at >= %(begins)s AND entry.effective_at < %(ends)s
    AND (entry.effective_at, entry.id, posting.line)
        > (%(after_at)s::timestamptz, %(after_id)s::uuid, %(after_line)s::integer)
    AND (%(code)s::text IS NULL OR account.code = %(code)s)
    AND (%(currency)s::text IS NULL OR account.currency = %(currency)s)
ORDER BY entry.effective_at, entry.id, posting.line
LIMIT %(limit)s
"""
_ENTRY: Final = f"""{_LINES}
WHERE entry.id = %s
ORDER BY posting.line
"""


@dataclass(frozen=True, slots=True)
class DaySum:
    """What an account moved in a day, and how many postings that was. Amounts are micros."""

    day: date
    debit: int
    credit: int
    lines: int


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


def find_side(*, code: str, currency: str) -> bool | None:
    """Say whether accounts of a code grow by debit; None where there are none of the currency."""
    kind = Account.objects.filter(code=code, currency=currency).values_list("kind", flat=True)
    found = kind.first()
    return None if found is None else found in DEBIT_KINDS


def list_account_days(*, code: str, currency: str, begins: date, ends: date) -> list[DaySum]:
    """Return the days on which accounts of one code and currency moved, both ends included."""
    with connection.cursor() as cursor:
        cursor.execute(_DAYS, [code, currency, begins, ends])
        return [DaySum(*row) for row in cursor.fetchall()]


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
        code: Only of accounts of a code,
        currency: and of a currency.
    """
    first = datetime.combine(begins, time.min, UTC)
    place = after or Place(first, UUID(int=0), 0)
    params: dict[str, Any] = {
        "begins": max(first, place.effective_at),
        "ends": datetime.combine(ends + timedelta(days=1), time.min, UTC),
        "after_at": place.effective_at,
        "after_id": place.entry_id,
        "after_line": place.line,
        "code": code,
        "currency": currency,
        "limit": limit,
    }
    with connection.cursor() as cursor:
        cursor.execute(_POSTINGS, params)
        return [JournalLine(*row) for row in cursor.fetchall()]


def find_entry(entry_id: UUID) -> list[JournalLine]:
    """Return the postings of an entry; none if there is no such entry."""
    with connection.cursor() as cursor:
        cursor.execute(_ENTRY, [entry_id])
        return [JournalLine(*row) for row in cursor.fetchall()]
