"""Down from a sum of the trial balance: an account's days, and whole entries."""

from dataclasses import dataclass
from datetime import date
from typing import Final
from uuid import UUID

from django.db import connection

from billing.models import DEBIT_KINDS, Account
from billing.selectors.reports.journal import LINES, JournalLine

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
_ENTRY: Final = f"""{LINES.format(postings="billing_posting")}
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


def find_entry(entry_id: UUID) -> list[JournalLine]:
    """Return the postings of an entry; none if there is no such entry."""
    with connection.cursor() as cursor:
        cursor.execute(_ENTRY, [entry_id])
        return [JournalLine(*row) for row in cursor.fetchall()]
