"""The journal of a period: every posting, in order of effect."""

from collections.abc import Iterator, Sequence
from datetime import date
from typing import Any, Final
from uuid import UUID

from django.db import connection
from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import render
from django.utils.dateparse import parse_datetime

from billing.console.finance.reports.files import report_file
from billing.console.finance.reports.period import parse_period
from billing.console.finance.reports.words import account_name, entry_name
from billing.console.finance.topups import FinanceView
from billing.selectors.reports.journal import JournalLine, Place, list_journal
from core.workbooks import Column

PAGE: Final = 50
BATCH: Final = 2000
COLUMNS: Final = (
    Column("effective_at", "moment"), Column("booked_at", "moment"), Column("entry"),
    Column("line", "count"), Column("kind"), Column("key"), Column("entry_reference"),
    Column("description"), Column("account"), Column("organization"), Column("debit", "amount"),
    Column("credit", "amount"), Column("currency"), Column("reference"),
)  # fmt: skip


class JournalView(FinanceView):
    """Every posting of a period."""

    def get(self, request: HttpRequest) -> HttpResponse:
        """Show a page of them."""
        period = parse_period(request.GET)
        after = read_place(request.GET.get("cursor", ""))
        lines = list_journal(begins=period.first, ends=period.last, limit=PAGE + 1, after=after)
        context = {"period": period, "report": "journal", **journal_rows(lines, limit=PAGE)}
        return render(request, "console/finance/reports/journal.html", context)


class JournalFileView(FinanceView):
    """Every posting of a period as a file."""

    def get(self, request: HttpRequest, kind: str) -> HttpResponseBase:
        """Send it as it is read."""
        period = parse_period(request.GET)
        name = f"journal-{period.first}-{period.last}"
        rows = _cells(period.first, period.last)
        return report_file(kind, name=name, columns=COLUMNS, rows=rows)


def journal_rows(lines: Sequence[JournalLine], *, limit: int) -> dict[str, Any]:
    """Return what a table of postings shows of a page and the one row after it."""
    shown = lines[:limit]
    is_more = len(lines) > limit
    return {
        "lines": [(line, entry_name(line.kind), account_name(line.code)) for line in shown],
        "next_cursor": _cursor(shown[-1].place) if is_more else None,
    }


def read_place(cursor: str) -> Place | None:
    """Return the place of a cursor; None for one that cannot be, which is the first page."""
    moment, _, rest = cursor.partition("_")
    entry_id, _, line = rest.partition("_")
    try:
        at = parse_datetime(moment)
        return None if at is None or at.tzinfo is None else Place(at, UUID(entry_id), int(line))
    except ValueError:
        return None


def _cursor(place: Place) -> str:
    return f"{place.effective_at.isoformat()}_{place.entry_id}_{place.line}"


def _cells(first: date, last: date) -> Iterator[Sequence[object]]:
    """Yield the cells of a period; between its pages it holds no connection."""
    after: Place | None = None
    while lines := list_journal(begins=first, ends=last, limit=BATCH, after=after):
        # A transaction's connection is its owner's.
        if not connection.in_atomic_block:
            connection.close()
        for one in lines:
            yield (
                one.effective_at, one.booked_at, one.entry_id, one.line, one.kind, one.key,
                one.entry_reference, one.description, one.code, one.organization_id, one.debit,
                one.credit, one.currency, one.reference,
            )  # fmt: skip
        after = lines[-1].place
