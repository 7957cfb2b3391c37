"""What providers are owed, by margin days: the sums of what their calls and true-ups cost."""

from datetime import date
from typing import Final

from django.db import connection

from gateway.selectors.reports.margin_sql import COUNTED

_COSTS: Final = f"""
SELECT provider, sum(micros)::bigint FROM ({COUNTED}) AS counted
WHERE code = 'provider_cost' AND currency = 'USD' GROUP BY 1 HAVING sum(micros) <> 0 ORDER BY 1
"""  # noqa: S608 - made of constants
# Of every day on which it cost something there is a file; of every difference a decision.
_UNRECONCILED: Final = f"""
SELECT provider FROM (
    SELECT DISTINCT provider, day FROM ({COUNTED}) AS counted
    WHERE code = 'provider_cost' AND micros <> 0 AND provider <> ''
        AND day BETWEEN %(first)s AND %(last)s
) AS cost
WHERE NOT EXISTS (
    SELECT FROM billing_providerimport AS file
    WHERE file.provider = cost.provider AND cost.day BETWEEN file.first_day AND file.last_day
)
UNION
SELECT file.provider FROM billing_providerdifference AS difference
JOIN billing_providerimport AS file ON file.id = difference.source_id
WHERE difference.status IN ('open', 'proposed') AND difference.day BETWEEN %(first)s AND %(last)s
EXCEPT
SELECT provider FROM billing_providerwaiver WHERE month = %(first)s
ORDER BY 1
"""  # noqa: S608 - made of constants


def sum_costs() -> dict[str, int]:
    """Return what each provider has cost in all, in micros of USD."""
    with connection.cursor() as cursor:
        cursor.execute(_COSTS)
        return dict(cursor.fetchall())


def list_unreconciled(*, first: date, last: date) -> list[str]:
    """Return the providers of which a month is neither reconciled nor waived. One query.

    Args:
        first: The month's first day,
        last: and its last.
    """
    with connection.cursor() as cursor:
        cursor.execute(_UNRECONCILED, {"first": first, "last": last})
        return [row[0] for row in cursor.fetchall()]
