"""What of a month is unfinished in the books."""

from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any, Final

from django.db import connection

from billing.selectors.periods.months import end_of
from billing.selectors.rates.force import rates_in_force

_INSTANT: Final = timedelta(microseconds=1)
# A month of statements is one of the organization's own zone, and counts from its first entry. Few
# entries of a month are booked after it was revalued.
_UNFINISHED: Final = """
SELECT
    (SELECT count(*) FROM billing_hold WHERE status = 'authorized' AND authorized_at < %(end)s),
    (
        SELECT count(*) FROM billing_payment
        WHERE status = 'pending' AND kind IN ('transfer', 'assigned') AND received_at < %(end)s
    ),
    (
        SELECT count(*) FROM billing_unmatchedpayment
        WHERE status <> 'resolved' AND created_at < %(end)s
    ),
    ARRAY(
        SELECT organization.name FROM orgs_organization AS organization
        WHERE EXISTS (
                SELECT FROM billing_account AS account
                JOIN billing_posting AS first
                    ON first.account_id = account.id AND first.chain_seq = 1
                JOIN billing_journalentry AS entry ON entry.id = first.entry_id
                WHERE account.organization_id = organization.id
                    AND account.code IN ('wallet', 'wallet_promo')
                    AND account.currency = organization.currency
                    AND entry.booked_at AT TIME ZONE organization.time_zone
                        < %(end_day)s::date::timestamp
            )
            AND NOT EXISTS (
                SELECT FROM billing_statement AS statement
                WHERE statement.organization_id = organization.id
                    AND statement.month >= %(month)s
            )
        ORDER BY 1
    ),
    ARRAY(
        SELECT DISTINCT account.currency FROM billing_account AS account
        WHERE account.currency <> %(reporting)s AND (
            EXISTS (
                SELECT FROM billing_accountday AS moved
                WHERE moved.account_id = account.id AND moved.day < %(end_day)s
            ) OR EXISTS (
                SELECT FROM billing_postingfact AS moved
                WHERE moved.account_id = account.id AND moved.day < %(end_day)s
            )
        )
        ORDER BY 1
    ),
    (SELECT booked_at FROM billing_revaluation WHERE month = %(month)s),
    (
        SELECT count(DISTINCT entry.id) FROM billing_revaluation AS revaluation
        JOIN billing_journalentry AS entry ON entry.booked_at >= revaluation.booked_at
            AND entry.effective_at < %(end)s AND entry.kind <> 'revaluation'
        JOIN billing_posting AS posting ON posting.entry_id = entry.id
            AND posting.currency <> %(reporting)s
        WHERE revaluation.month = %(month)s
    )
"""


@dataclass(frozen=True, slots=True)
class Unfinished:
    """What of a month is left to do.

    Attributes:
        holds: Open holds that were authorized before its end.
        undecided: Payments received before its end that wait for a second person.
        unmatched: Times that money came before its end and fits no payment.
        without_statement: Names of organizations whose statement of it is not issued.
        currencies: Foreign ones in which anything was booked by its end.
        revalued_at: When they were last brought to the closing rates.
        late: Entries in them that were booked since.
    """

    holds: int
    undecided: int
    unmatched: int
    without_statement: list[str]
    currencies: list[str]
    revalued_at: datetime | None
    late: int


def find_unfinished(*, month: date, reporting: str) -> Unfinished:
    """Return what of a month is left to do. One query.

    Args:
        month: Its first day.
        reporting: The currency of the platform's own books.
    """
    end = end_of(month)
    params: dict[str, Any] = {
        "month": month,
        "end": end,
        "end_day": end.date(),
        "reporting": reporting,
    }
    with connection.cursor() as cursor:
        cursor.execute(_UNFINISHED, params)
        row = cursor.fetchone()
    assert row is not None  # noqa: S101 - it has no FROM
    return Unfinished(*row)


def missing_rates(*, reporting: str, currencies: list[str], month: date) -> list[str]:
    """Return the currencies without a usable rate at the last instant of a month."""
    pairs = [(reporting, currency) for currency in currencies]
    rates = rates_in_force(pairs=pairs, at=end_of(month) - _INSTANT) if pairs else {}
    return [pair[1] for pair in pairs if pair not in rates or rates[pair].is_stale]
