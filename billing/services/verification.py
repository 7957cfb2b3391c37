"""Recompute the ledger from its rows and name every row that disagrees."""

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from datetime import datetime
from uuid import UUID

from django.db import connection, transaction

from billing.services.credits.checks import check_grants
from billing.services.hold_checks import check_budgets, check_captures, check_holds
from billing.services.invoices.checks import check_invoices
from billing.services.journal_checks import check_balances, check_chains, check_entries
from billing.services.payments.checks import check_payments
from billing.services.periods.books import check_periods
from billing.services.rates.checks import check_cross_rates
from billing.services.rates.revaluation import check_revaluations
from billing.services.reconciliation.checks import check_reconciliations
from billing.services.refunds.checks import check_refunds
from billing.services.reports.account_days import check_account_days
from billing.services.statements.checks import check_drafts, check_statements
from billing.services.taxes.checks import check_taxes
from billing.types import Finding


@contextmanager
def snapshot() -> Iterator[None]:
    """Let everything read inside see one instant, so that a running ledger can be verified.

    A read-only transaction at REPEATABLE READ; inside a transaction it is the caller's own. What
    reads a whole ledger takes its time, with work of its own in between: the limits of requests do
    not hold in it.
    """
    if connection.in_atomic_block:
        yield
        return
    with transaction.atomic():
        with connection.cursor() as cursor:
            cursor.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY")
            cursor.execute("SET LOCAL statement_timeout = 0")
            cursor.execute("SET LOCAL idle_in_transaction_session_timeout = 0")
        yield


def verify_ledger(*, now: datetime, organization_id: UUID | None = None) -> list[Finding]:
    """Check all invariants of billing, of one organization or of all; empty means none is broken.

    Reads page by page in one snapshot; takes no locks. Other apps may open `snapshot()` around
    this and checks of their own.

    Args:
        now: For holds that are open 60 seconds past their deadline.
        organization_id: Limits the checks to the rows of one organization.
    """
    with snapshot():
        return [
            finding
            for check in ledger_checks(now=now, organization_id=organization_id)
            for finding in check()
        ]


def ledger_checks(
    *, now: datetime, organization_id: UUID | None = None
) -> list[Callable[[], Iterable[Finding]]]:
    """Return the steps of `verify_ledger`, for callers who show how far they have come."""
    owner = organization_id
    return [
        lambda: check_entries(organization_id=owner),
        lambda: check_chains(organization_id=owner),
        lambda: check_balances(organization_id=owner),
        lambda: check_holds(organization_id=owner, now=now),
        lambda: check_captures(organization_id=owner),
        lambda: check_grants(organization_id=owner),
        lambda: check_budgets(organization_id=owner),
        lambda: check_account_days(organization_id=owner),
        lambda: check_payments(organization_id=owner),
        lambda: check_taxes(organization_id=owner),
        lambda: check_refunds(organization_id=owner),
        lambda: check_invoices(organization_id=owner),
        lambda: check_statements(organization_id=owner),
        lambda: check_drafts(organization_id=owner),
        *(
            []
            if owner
            else [check_cross_rates, check_revaluations, check_periods, check_reconciliations]
        ),
    ]
