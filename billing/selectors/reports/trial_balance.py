"""The trial balance: what every account was debited and credited up to a day."""

from dataclasses import dataclass
from datetime import date
from typing import Final

from django.db import connection

from billing.models import DEBIT_KINDS

_MOVED: Final = """
SELECT account.code, account.kind, account.currency,
    coalesce(sum(debit_micros) FILTER (WHERE day < %(begins)s), 0),
    coalesce(sum(credit_micros) FILTER (WHERE day < %(begins)s), 0),
    coalesce(sum(debit_micros) FILTER (WHERE day >= %(begins)s), 0),
    coalesce(sum(credit_micros) FILTER (WHERE day >= %(begins)s), 0)
FROM (
    SELECT account_id, day, debit_micros, credit_micros FROM billing_accountday
    UNION ALL
    SELECT account_id, day, debit_micros, credit_micros FROM billing_postingfact
) AS moved JOIN billing_account AS account ON account.id = moved.account_id
WHERE day <= %(ends)s
GROUP BY 1, 2, 3
ORDER BY 3, 1
"""


@dataclass(frozen=True, slots=True)
class AccountMovement:
    """All accounts of one code and currency: before a period and within it. Amounts are micros."""

    code: str
    kind: str
    currency: str
    opening_debit: int
    opening_credit: int
    debit: int
    credit: int

    @property
    def opening(self) -> int:
        """Return the balance before the period, on the side the account grows on."""
        return self._sided(self.opening_debit, self.opening_credit)

    @property
    def closing(self) -> int:
        """Return the balance after the period, on the side the account grows on."""
        return self.opening + self._sided(self.debit, self.credit)

    @property
    def closing_debit(self) -> int:
        """Return all that was debited up to the end."""
        return self.opening_debit + self.debit

    @property
    def closing_credit(self) -> int:
        """Return all that was credited up to the end."""
        return self.opening_credit + self.credit

    def _sided(self, debit: int, credit: int) -> int:
        return debit - credit if self.kind in DEBIT_KINDS else credit - debit


def list_movements(*, begins: date, ends: date) -> list[AccountMovement]:
    """Return what the accounts moved in a period, by code and currency, with what was before it.

    Days are those of the entries' `effective_at` in UTC, both included. In every currency the
    debits equal the credits, before the period and within it. One statement; reads sums by account
    and day, not postings.
    """
    with connection.cursor() as cursor:
        cursor.execute(_MOVED, {"begins": begins, "ends": ends})
        return [
            AccountMovement(code, kind, currency, *(int(figure) for figure in figures))
            for code, kind, currency, *figures in cursor.fetchall()
        ]
