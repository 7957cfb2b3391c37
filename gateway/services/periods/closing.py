"""Closing a month of the books, after the ledger was checked against images and attempts."""

from datetime import date, datetime
from typing import Final

from django.db.models import Count, Subquery

from billing.selectors.periods.months import end_of, last_day_of
from billing.services.periods.checklist import Line, list_lines
from billing.services.periods.closing import Closed
from billing.services.periods.closing import close_month as close_books
from gateway.models import Check, Finding
from gateway.selectors.reports.owed import list_unreconciled
from gateway.services.operations.checks import LEDGER
from gateway.services.operations.findings import Kind
from orgs.services.audit import Actor

_KINDS: Final = (Kind.LEDGER_VIOLATION, Kind.ROLLUP_DIFFERENCE)


def list_checklist(*, month: date, now: datetime) -> list[Line]:
    """Return what must be done before a month is closed, in the order of the page."""
    return [*list_lines(month=month, now=now), *_more_lines(month)]


def close_month(*, month: date, actor: Actor, now: datetime) -> Closed:
    """Close a month if every line of its checklist is done. One transaction.

    Raises:
        PermissionDeniedError: The actor is neither finance nor a management command.
        PeriodClosedError: It is closed.
        PeriodNotReadyError: A month before it is open, or a line of the checklist is.
    """
    return close_books(month=month, actor=actor, more=lambda: _more_lines(month), now=now)


def _more_lines(month: date) -> list[Line]:
    return [_providers_line(month), _ledger_line(month)]


def _providers_line(month: date) -> Line:
    """Say whether every provider that cost something in a month is reconciled, or waived."""
    names = list_unreconciled(first=month, last=last_day_of(month))
    return Line("providers", is_done=not names, count=len(names), names=tuple(names))


def _ledger_line(month: date) -> Line:
    """Say whether the ledger was checked whole since the month ended, and nothing was found."""
    open_ones = Finding.objects.filter(kind__in=_KINDS, resolved_at__isnull=True)
    counted = open_ones.order_by().values("resolved_at").annotate(count=Count("id")).values("count")
    check = Check.objects.filter(name=LEDGER).annotate(open=Subquery(counted)).first()
    if check is None:
        return Line("ledger", is_done=False)
    is_checked = (
        check.started_at is not None
        and check.started_at >= end_of(month)
        and check.done == check.total
        and not check.error
    )
    found = check.open or 0
    return Line("ledger", is_checked and not found, found, at=check.finished_at)
