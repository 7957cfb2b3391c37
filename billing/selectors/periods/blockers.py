"""What of a month is unfinished in the books."""

from datetime import date, datetime, timedelta
from typing import Any, Final

from django.db import connection
from django.db.models import Q

from billing.models import Hold, HoldStatus, Payment, Revaluation, UnmatchedPayment
from billing.selectors.periods.months import end_of
from billing.selectors.rates.force import rates_in_force

_INSTANT: Final = timedelta(microseconds=1)
_FOREIGN: Final = """
SELECT DISTINCT account.currency FROM billing_account AS account
WHERE account.currency <> %(reporting)s AND (
    EXISTS (
        SELECT FROM billing_accountday AS moved
        WHERE moved.account_id = account.id AND moved.day < %(end)s
    ) OR EXISTS (
        SELECT FROM billing_postingfact AS moved
        WHERE moved.account_id = account.id AND moved.day < %(end)s
    )
)
ORDER BY 1
"""
# Few entries of a month are booked after it.
_FOREIGN_SINCE: Final = """
SELECT count(DISTINCT entry.id) FROM billing_journalentry AS entry
JOIN billing_posting AS posting ON posting.entry_id = entry.id
WHERE entry.booked_at >= %(since)s AND entry.effective_at < %(end)s
    AND entry.kind <> 'revaluation' AND posting.currency <> %(reporting)s
"""
# A month of statements is one of the organization's own zone: it counts from its first entry.
_WITHOUT_STATEMENT: Final = """
SELECT organization.name FROM orgs_organization AS organization
JOIN billing_account AS account ON account.organization_id = organization.id
    AND account.code = 'wallet' AND account.currency = organization.currency
JOIN billing_posting AS first ON first.account_id = account.id AND first.chain_seq = 1
JOIN billing_journalentry AS entry ON entry.id = first.entry_id
WHERE entry.booked_at AT TIME ZONE organization.time_zone < %(end)s::date::timestamp
    AND NOT EXISTS (
        SELECT FROM billing_statement AS statement
        WHERE statement.organization_id = organization.id AND statement.month >= %(month)s
    )
ORDER BY 1
"""


def count_open_holds(*, before: datetime) -> int:
    """Return how many holds authorized before an instant are open."""
    return Hold.objects.filter(status=HoldStatus.AUTHORIZED, authorized_at__lt=before).count()


def count_undecided(*, before: datetime) -> int:
    """Return how many payments received before an instant wait for a second person."""
    waiting = Q(kind__in=(Payment.Kind.TRANSFER, Payment.Kind.ASSIGNED))
    return Payment.objects.filter(
        waiting, status=Payment.Status.PENDING, received_at__lt=before
    ).count()


def count_unmatched(*, before: datetime) -> int:
    """Return how much that came before an instant fits no payment: how many times."""
    rows = UnmatchedPayment.objects.filter(created_at__lt=before)
    return rows.exclude(status=UnmatchedPayment.Status.RESOLVED).count()


def foreign_currencies(*, reporting: str, month: date) -> list[str]:
    """Return the other currencies in which anything was booked by the end of a month."""
    found = _rows(_FOREIGN, {"reporting": reporting, "end": end_of(month).date()})
    return [row[0] for row in found]


def missing_rates(*, reporting: str, currencies: list[str], month: date) -> list[str]:
    """Return the currencies without a usable rate at the last instant of a month."""
    pairs = [(reporting, currency) for currency in currencies]
    rates = rates_in_force(pairs=pairs, at=end_of(month) - _INSTANT) if pairs else {}
    return [pair[1] for pair in pairs if pair not in rates or rates[pair].is_stale]


def find_revaluation(month: date) -> datetime | None:
    """Return when a month was last revalued."""
    found = Revaluation.objects.filter(month=month).values_list("booked_at", flat=True)
    return found.first()


def count_foreign_since(*, reporting: str, month: date, since: datetime) -> int:
    """Return how many entries in other currencies were booked into a month since an instant."""
    params = {"reporting": reporting, "end": end_of(month), "since": since}
    return int(_rows(_FOREIGN_SINCE, params)[0][0])


def without_statement(month: date) -> list[str]:
    """Return the names of organizations whose statement of a month is not issued."""
    found = _rows(_WITHOUT_STATEMENT, {"month": month, "end": end_of(month).date()})
    return [row[0] for row in found]


def _rows(sql: str, params: dict[str, Any]) -> list[tuple[Any, ...]]:
    with connection.cursor() as cursor:
        cursor.execute(sql, params)
        found: list[tuple[Any, ...]] = cursor.fetchall()
    return found
