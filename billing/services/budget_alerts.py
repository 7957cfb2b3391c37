"""Telling organizations how much of their budgets is spent."""

from datetime import datetime
from typing import Any, Final

from django.db import connection, transaction

from billing.models import Budget, BudgetAlert
from billing.money import format_amount
from billing.services.alert_mails import write_alerts
from orgs.services.outbox import EventType, write_event

PERCENTS: Final = (50, 80, 100)
"""At which shares of a month's limit that is charged somebody is told."""
BATCH: Final = 200
# Months that ended within a day: what they authorized may still be charged. The rows claim what is
# told of, in the same transaction; of two that claim at once, the second waits and finds them.
_CLAIM: Final = """
INSERT INTO billing_budgetalert (
    budget_id, period, percent, limit_micros, captured_micros, created_at
)
SELECT budget.id, seen.period, share.percent, budget.limit_micros, seen.captured_micros, %(now)s
FROM billing_budget AS budget
JOIN orgs_organization AS organization ON organization.id = budget.organization_id
    AND organization.purged_at IS NULL
JOIN billing_budgetperiod AS seen ON seen.budget_id = budget.id
    AND seen.period >= date_trunc(
        'month', (%(now)s::timestamptz - interval '1 day') AT TIME ZONE organization.time_zone
    )::date
JOIN unnest(%(percents)s::integer[]) AS share (percent)
    ON seen.captured_micros::numeric * 100 >= budget.limit_micros::numeric * share.percent
WHERE budget.limit_micros > 0 AND NOT EXISTS (
    SELECT FROM billing_budgetalert AS told
    WHERE told.budget_id = budget.id AND told.period = seen.period
        AND told.percent = share.percent
)
ORDER BY budget.id, seen.period, share.percent
LIMIT %(limit)s
ON CONFLICT (budget_id, period, percent) DO NOTHING
RETURNING id
"""


def announce_budgets(*, now: datetime) -> int:
    """Tell of each budget of which half, 80 % or all was charged in its month; return how many.

    By the webhook event `budget.reached` and by mail, once for each budget, month and share,
    whatever becomes of the limit in that month. One transaction, of at most `BATCH`. Nothing of it
    is on the way of a request: it reads what is committed.
    """
    with transaction.atomic(), connection.cursor() as cursor:
        params: dict[str, Any] = {"now": now, "percents": list(PERCENTS), "limit": BATCH}
        cursor.execute(_CLAIM, params)
        claimed = [alert_id for (alert_id,) in cursor]
        alerts = BudgetAlert.objects.filter(id__in=claimed).select_related(
            "budget__organization", "budget__api_key"
        )
        for alert in alerts.order_by("id"):
            _tell(alert, now)
    return len(claimed)


def _tell(alert: BudgetAlert, now: datetime) -> None:
    budget: Budget = alert.budget
    currency = budget.organization.currency
    limit = format_amount(alert.limit_micros, currency)
    spent = format_amount(alert.captured_micros, currency)
    write_event(
        organization_id=budget.organization_id,
        kind=EventType.BUDGET_REACHED,
        data={
            "object": "budget",
            "api_key_id": None if budget.api_key_id is None else str(budget.api_key_id),
            "month": f"{alert.period:%Y-%m}",
            "percent": alert.percent,
            "limit": limit,
            "spent": spent,
            "currency": currency,
        },
        now=now,
    )
    write_alerts(
        organization=budget.organization,
        kind="budget_reached",
        page="budgets",
        context={
            "key": "" if budget.api_key is None else budget.api_key.name,
            "percent": alert.percent,
            "is_spent": alert.percent == PERCENTS[-1],
            "month": f"{alert.period:%Y-%m}",
            "limit": f"{limit} {currency}",
            "spent": f"{spent} {currency}",
        },
        now=now,
    )
