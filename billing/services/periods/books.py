"""What the books say of a month, so that a later change of it can be seen and named."""

from collections.abc import Iterator
from datetime import date
from typing import Any, Final

from django.db import connection

from billing.models import PeriodClose
from billing.selectors.periods.months import begin_of, end_of, following, last_day_of
from billing.selectors.reports.trial_balance import list_movements
from billing.services.statements.content import digest_of
from billing.types import Finding

_TABLE: Final = "billing_periodclose"
# The digests of a day's entries, which cover their postings, in the order of effect.
_DAYS: Final = """
SELECT (effective_at AT TIME ZONE 'UTC')::date::text, count(*),
    encode(sha256(string_agg(digest, ''::bytea ORDER BY effective_at, id)), 'hex')
FROM billing_journalentry
WHERE effective_at >= %s AND effective_at < %s
GROUP BY 1 ORDER BY 1
"""


def read_books(month: date) -> dict[str, Any]:
    """Return the trial balance of a month and, for each day, how many entries and their digest.

    Amounts are micros. Reads sums by account and day, and the digests of the month's entries.
    """
    with connection.cursor() as cursor:
        cursor.execute(_DAYS, [begin_of(month), end_of(month)])
        days = [
            {"day": day, "entries": count, "digest": digest}
            for day, count, digest in cursor.fetchall()
        ]
    return {
        "month": f"{month:%Y-%m}",
        "accounts": [
            {
                "account": one.code,
                "currency": one.currency,
                "opening": one.opening,
                "debit": one.debit,
                "credit": one.credit,
            }
            for one in list_movements(begins=month, ends=last_day_of(month))
            if one.opening or one.debit or one.credit
        ],
        "days": days,
    }


def check_periods() -> Iterator[Finding]:
    """Yield closed months that are not what they were when they were closed."""
    last: PeriodClose | None = None
    for close in PeriodClose.objects.order_by("month"):
        for problem in _problems(close, last):
            yield Finding("period_close", _TABLE, f"{close.month:%Y-%m}", problem)
        last = close


def _problems(close: PeriodClose, last: PeriodClose | None) -> Iterator[str]:
    if digest_of(close.content) != bytes(close.digest):
        yield "its row was changed after it was closed"
    if last is not None and close.month != following(last.month):
        yield f"the month closed before it is {last.month:%Y-%m}"
    if close.content["previous"] != (None if last is None else bytes(last.digest).hex()):
        yield "the month before it was closed with another digest"
    now = read_books(close.month)
    for name in ("accounts", "days"):
        yield from _differences(close.content[name], now[name])


def _differences(before: list[dict[str, Any]], after: list[dict[str, Any]]) -> Iterator[str]:
    was, is_now = _by_name(before), _by_name(after)
    for name in sorted(was.keys() | is_now.keys()):
        then, today = was.get(name), is_now.get(name)
        if then != today:
            yield f"{name} was {_told(then)} at its close, and is {_told(today)}"


def _by_name(rows: list[dict[str, Any]]) -> dict[str, dict[str, Any]]:
    return {row.get("day") or f"{row['account']} {row['currency']}": row for row in rows}


def _told(row: dict[str, Any] | None) -> str:
    if row is None:
        return "nothing"
    if "day" in row:
        return f"{row['entries']} entries with digest {row['digest'][:12]}"
    return f"{row['opening']} + {row['debit']} debit, {row['credit']} credit"
