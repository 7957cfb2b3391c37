"""Charges of a month by two cut-offs: the platform's, in UTC, and that of each statement.

A statement ends with the last entry booked in a month of its organization's own zone. So what was
charged around midnight belongs to one month here and to another there.
"""

from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any, Final
from uuid import UUID

from django.db import connection

from billing.selectors.periods.months import begin_of, end_of

# No zone is further from UTC than 14 hours; an entry and its booking may be an hour apart.
_REACH: Final = timedelta(hours=15)
# Charges of a month are what is left of the sums by day without all other entries, which are few;
# of the charges themselves only those around both ends of the month are read.
_CUTOFFS: Final = """
WITH prepaid AS (
    SELECT id, organization_id, code, currency FROM billing_account
    WHERE code IN ('wallet', 'wallet_promo')
), spent AS (
    SELECT account_id, sum(micros) AS micros FROM (
        SELECT account_id, debit_micros - credit_micros AS micros FROM billing_accountday
        WHERE day >= %(first)s AND day < %(following)s
        UNION ALL
        SELECT account_id, debit_micros - credit_micros FROM billing_postingfact
        WHERE day >= %(first)s AND day < %(following)s
        UNION ALL
        SELECT posting.account_id, CASE posting.direction
            WHEN 'debit' THEN -posting.amount_micros ELSE posting.amount_micros END
        FROM billing_journalentry AS entry
        JOIN billing_posting AS posting ON posting.entry_id = entry.id
        WHERE entry.kind NOT IN ('capture', 'attempt_cost')
            AND entry.effective_at >= %(begin)s AND entry.effective_at < %(end)s
    ) AS moved GROUP BY 1
), told AS (
    SELECT statement.organization_id, statement.currency, one ->> 'code' AS code,
        (one ->> 'from_seq')::bigint AS from_seq, (one ->> 'to_seq')::bigint AS to_seq,
        coalesce((
            SELECT sum((move ->> 'amount')::bigint)
            FROM jsonb_array_elements(one -> 'movements') AS move
            WHERE move ->> 'kind' = 'capture'
        ), 0) AS micros
    FROM billing_statement AS statement
    CROSS JOIN LATERAL jsonb_array_elements(statement.content -> 'accounts') AS one
    WHERE statement.month = %(first)s
), edge AS (
    SELECT posting.account_id, posting.chain_seq,
        CASE posting.direction WHEN 'debit' THEN posting.amount_micros
            ELSE -posting.amount_micros END AS micros,
        entry.effective_at >= %(begin)s AND entry.effective_at < %(end)s AS is_within,
        entry.effective_at < %(begin)s AS is_before
    FROM billing_journalentry AS entry
    JOIN billing_posting AS posting ON posting.entry_id = entry.id
    WHERE entry.kind = 'capture' AND (
        entry.booked_at BETWEEN %(begin)s - %(reach)s AND %(begin)s + %(reach)s
        OR entry.booked_at BETWEEN %(end)s - %(reach)s AND %(end)s + %(reach)s
    )
), moved AS (
    SELECT edge.account_id,
        sum(micros) FILTER (WHERE is_within AND chain_seq < from_seq) AS earlier,
        sum(micros) FILTER (WHERE is_within AND chain_seq > to_seq) AS later,
        sum(micros) FILTER (WHERE is_before AND chain_seq BETWEEN from_seq AND to_seq) AS before,
        sum(micros) FILTER (
            WHERE NOT is_within AND NOT is_before AND chain_seq BETWEEN from_seq AND to_seq
        ) AS after
    FROM (
        SELECT edge.*, told.from_seq, told.to_seq FROM edge
        JOIN prepaid ON prepaid.id = edge.account_id
        JOIN told ON (told.organization_id, told.currency, told.code)
            = (prepaid.organization_id, prepaid.currency, prepaid.code)
    ) AS edge GROUP BY 1
)
SELECT organization.id, organization.name, organization.time_zone, prepaid.currency,
    coalesce(sum(spent.micros), 0)::bigint, coalesce(sum(moved.earlier), 0)::bigint,
    coalesce(sum(moved.later), 0)::bigint, coalesce(sum(moved.before), 0)::bigint,
    coalesce(sum(moved.after), 0)::bigint, -sum(told.micros)::bigint
FROM prepaid
JOIN orgs_organization AS organization ON organization.id = prepaid.organization_id
LEFT JOIN spent ON spent.account_id = prepaid.id
LEFT JOIN moved ON moved.account_id = prepaid.id
LEFT JOIN told ON (told.organization_id, told.currency, told.code)
    = (prepaid.organization_id, prepaid.currency, prepaid.code)
GROUP BY 1, 2, 3, 4
HAVING coalesce(sum(spent.micros), 0) <> 0 OR coalesce(sum(told.micros), 0) <> 0
ORDER BY 4, 2, 1
"""


@dataclass(frozen=True, slots=True)
class Cutoff:
    """What an organization was charged in a month by both cut-offs, in micros of its currency.

    Attributes:
        platform: In the month of UTC.
        earlier: Of that, on an earlier statement,
        later: and on a later one.
        before: On the month's statement, and of the month of UTC before,
        after: or of the one after.
        statement: On the month's statement; None while it is not issued.
    """

    organization_id: UUID
    organization: str
    zone: str
    currency: str
    platform: int
    earlier: int
    later: int
    before: int
    after: int
    statement: int | None

    @property
    def elsewhere(self) -> int:
        """Return what of the month of UTC is on another statement."""
        return self.earlier + self.later

    @property
    def others(self) -> int:
        """Return what on the statement is of another month of UTC."""
        return self.before + self.after

    @property
    def agrees(self) -> bool:
        """Say whether the charges around midnight explain the whole difference."""
        return self.statement == self.platform - self.elsewhere + self.others


def list_cutoffs(month: date) -> list[Cutoff]:
    """Return what each organization was charged in a month, by currency and name."""
    params: dict[str, Any] = {
        "first": month,
        "following": end_of(month).date(),
        "begin": begin_of(month),
        "end": end_of(month),
        "reach": _REACH,
    }
    with connection.cursor() as cursor:
        cursor.execute(_CUTOFFS, params)
        return [Cutoff(*row) for row in cursor.fetchall()]
