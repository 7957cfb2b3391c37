"""What customers have paid for and not used: how it came to be what it is."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from typing import Any, Final

from django.db import connection

from billing.models import AccountCode

CAPTURE: Final = "capture"
PREPAID: Final = (AccountCode.WALLET.value, AccountCode.WALLET_PROMO.value)
# All entries but captures are few, and have an index of their own: captures are what is left of the
# sums by day. One statement, so that both sides are of one instant.
_MOVED: Final = """
SELECT account.code, account.currency, NULL,
    coalesce(sum(credit_micros - debit_micros) FILTER (WHERE day < %(begins)s), 0),
    coalesce(sum(credit_micros - debit_micros) FILTER (WHERE day >= %(begins)s), 0)
FROM (
    SELECT account_id, day, debit_micros, credit_micros FROM billing_accountday
    UNION ALL
    SELECT account_id, day, debit_micros, credit_micros FROM billing_postingfact
) AS moved JOIN billing_account AS account ON account.id = moved.account_id
WHERE account.code = ANY(%(codes)s) AND day <= %(ends)s
GROUP BY 1, 2
UNION ALL
SELECT account.code, account.currency, entry.kind, 0,
    sum(CASE posting.direction WHEN 'credit' THEN 1 ELSE -1 END * posting.amount_micros)
FROM billing_journalentry AS entry
JOIN billing_posting AS posting ON posting.entry_id = entry.id
JOIN billing_account AS account ON account.id = posting.account_id
WHERE account.code = ANY(%(codes)s) AND entry.kind NOT IN ('capture', 'attempt_cost')
    AND entry.effective_at >= %(begins)s::date::timestamp AT TIME ZONE 'UTC'
    AND entry.effective_at < (%(ends)s::date + 1)::timestamp AT TIME ZONE 'UTC'
GROUP BY 1, 2, 3
"""


@dataclass(slots=True)
class RollForward:
    """A prepaid account's way through a period, in micros; what was spent is negative.

    `moves` are by kind of entry, without those that come to nothing. Opening and moves sum up to
    the closing balance, which is that of the trial balance.
    """

    code: str
    currency: str
    opening: int = 0
    closing: int = 0
    moves: Mapping[str, int] = field(default_factory=dict)


def list_roll_forwards(*, begins: date, ends: date) -> list[RollForward]:
    """Return the way of wallets and promotional credit, by currency; days of UTC, both included."""
    params: dict[str, Any] = {"begins": begins, "ends": ends, "codes": list(PREPAID)}
    found: dict[tuple[str, str], RollForward] = {}
    others: dict[tuple[str, str], dict[str, int]] = {}
    with connection.cursor() as cursor:
        cursor.execute(_MOVED, params)
        for code, currency, kind, opening, change in cursor.fetchall():
            if kind is None:
                way = RollForward(code, currency, int(opening), int(opening + change))
                found[code, currency] = way
            else:
                others.setdefault((code, currency), {})[kind] = int(change)
    for key, way in found.items():
        moves = others.get(key, {})
        captured = way.closing - way.opening - sum(moves.values())
        ordered = {"top_up": moves.pop("top_up", 0), CAPTURE: captured, **moves}
        way.moves = {kind: change for kind, change in ordered.items() if change}
    return sorted(found.values(), key=lambda way: (way.currency, way.code))
