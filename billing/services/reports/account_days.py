"""Adding postings up by account and day, and making these sums anew.

In every snapshot the account days plus the facts that are left are all postings: a fact is written
by a trigger in the transaction of its postings, and deleted in the one that counts it. So no order
of commits can lose or double anything, and a reader that adds both in one statement is exact.
"""

from collections.abc import Iterator
from typing import Any, Final
from uuid import UUID

from django.db import connection

from billing.services.reports.counting import count_facts, rebuild_sums
from billing.types import Finding

# Any fixed number: "lienzo days" in ASCII, cut to 63 bits.
ADVISORY_LOCK: Final = 0x6C69656E7A6F6461
BATCH: Final = 10_000

# The oldest first, so that what waits is always the youngest.
_COUNT: Final = """
WITH taken AS (
    DELETE FROM billing_postingfact
    WHERE id IN (SELECT id FROM billing_postingfact ORDER BY id LIMIT %s)
    RETURNING account_id, day, debit_micros, credit_micros, lines
), counted AS (
    INSERT INTO billing_accountday AS kept (account_id, day, debit_micros, credit_micros, lines)
    SELECT account_id, day, sum(debit_micros), sum(credit_micros), sum(lines)
    FROM taken GROUP BY account_id, day
    ON CONFLICT (account_id, day) DO UPDATE SET
        debit_micros = kept.debit_micros + EXCLUDED.debit_micros,
        credit_micros = kept.credit_micros + EXCLUDED.credit_micros,
        lines = kept.lines + EXCLUDED.lines
)
SELECT count(*) FROM taken
"""
COLUMNS: Final = "(account_id, day, debit_micros, credit_micros, lines)"
POSTED: Final = """
SELECT posting.account_id, (entry.effective_at AT TIME ZONE 'UTC')::date AS day,
    coalesce(sum(posting.amount_micros) FILTER (WHERE posting.direction = 'debit'), 0)
        AS debit_micros,
    coalesce(sum(posting.amount_micros) FILTER (WHERE posting.direction = 'credit'), 0)
        AS credit_micros,
    count(*) AS lines
FROM billing_posting AS posting JOIN billing_journalentry AS entry ON entry.id = posting.entry_id
GROUP BY posting.account_id, day
"""
"""The postings themselves, summed up as the trigger does."""
_REBUILD: Final = (
    "DELETE FROM billing_accountday",
    "DELETE FROM billing_postingfact",
    f"INSERT INTO billing_accountday {COLUMNS} {POSTED}",
)
_DIFFERENCES: Final = f"""
SELECT account.id, account.code, account.currency, day, coalesce(said.debit_micros, 0),
    coalesce(said.credit_micros, 0), coalesce(due.debit_micros, 0), coalesce(due.credit_micros, 0)
FROM (
    SELECT account_id, day, sum(debit_micros) AS debit_micros, sum(credit_micros) AS credit_micros,
        sum(lines) AS lines
    FROM (
        SELECT account_id, day, debit_micros, credit_micros, lines FROM billing_accountday
        UNION ALL
        SELECT account_id, day, debit_micros, credit_micros, lines FROM billing_postingfact
    ) AS counted
    GROUP BY account_id, day
) AS said
FULL JOIN ({POSTED}) AS due USING (account_id, day)
JOIN billing_account AS account ON account.id = account_id
WHERE (coalesce(said.debit_micros, 0), coalesce(said.credit_micros, 0), coalesce(said.lines, 0))
        <> (coalesce(due.debit_micros, 0), coalesce(due.credit_micros, 0), coalesce(due.lines, 0))
    AND (%(organization_id)s::uuid IS NULL OR account.organization_id = %(organization_id)s)
ORDER BY account.code, account.id, day
"""  # noqa: S608 - made of constants


def count_postings(*, limit: int = BATCH) -> int:
    """Count the oldest facts, as `count_facts` does; return how many."""
    return count_facts(_COUNT, limit=limit, lock=ADVISORY_LOCK)


def rebuild_account_days() -> None:
    """Make all account days anew, as `rebuild_sums` does."""
    rebuild_sums(_REBUILD, lock=ADVISORY_LOCK)


def check_account_days(*, organization_id: UUID | None) -> Iterator[Finding]:
    """Yield days of accounts unlike the postings in them. Call it in a snapshot."""
    with connection.cursor() as cursor:
        cursor.execute(_DIFFERENCES, {"organization_id": organization_id})
        rows: list[tuple[Any, ...]] = cursor.fetchall()
    for account_id, code, currency, day, debit, credit, due_debit, due_credit in rows:
        yield Finding(
            "account_day",
            "billing_accountday",
            str(account_id),
            f"{code} {currency} on {day}: {debit} micros debited and {credit} credited were"
            f" counted, its postings say {due_debit} and {due_credit}",
        )
