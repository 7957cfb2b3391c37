"""Tax collected by country and rate, and the invoices that it sums up."""

from collections.abc import Iterator, Sequence
from decimal import Decimal, InvalidOperation
from typing import Any, Final
from uuid import UUID

from django.db import connection
from django.http import Http404, HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import render

from billing.console.finance.reports.files import report_file
from billing.console.finance.reports.period import Period, parse_period
from billing.console.finance.topups import FinanceView
from billing.console.taxes.files import FILES, invoice_file
from billing.console.taxes.pages import place_of
from billing.console.taxes.sheet import InvoiceSheet, make_sheet
from billing.console.taxes.words import row_of_invoice, tax_of
from billing.selectors.taxes.invoices import (
    InvoiceFilter,
    InvoiceSummary,
    find_invoice,
    list_of_tax,
)
from billing.selectors.taxes.report import TaxOfCurrency, TaxSum, sum_taxes
from core.workbooks import Column

PAGE: Final = 50
BATCH: Final = 1000
FILTERS: Final = ("currency", "country", "basis", "name", "rate")
COLUMNS: Final = (
    Column("from", "date"), Column("to", "date"), Column("item"), Column("country"),
    Column("basis"), Column("tax"), Column("rate", "share"), Column("documents", "count"),
    Column("net", "amount"), Column("tax_amount", "amount"), Column("currency"),
)  # fmt: skip
INVOICE_COLUMNS: Final = (
    Column("number"), Column("kind"), Column("issued_at", "moment"),
    Column("effective_at", "moment"), Column("organization_id"), Column("organization"),
    Column("payment"), Column("country"), Column("basis"), Column("tax"), Column("rate", "share"),
    Column("net", "amount"), Column("tax_amount", "amount"), Column("total", "amount"),
    Column("currency"),
)  # fmt: skip


class TaxView(FinanceView):
    """The tax of a period, beside what the ledger says is owed."""

    def get(self, request: HttpRequest) -> HttpResponse:
        """Show it, by currency."""
        period = parse_period(request.GET)
        found = sum_taxes(begins=period.first, ends=period.last)
        context = {
            "period": period,
            "report": "tax",
            "currencies": [
                {"of": one, "rows": [_row(line, period) for line in one.sums]} for one in found
            ],
        }
        return render(request, "console/finance/reports/tax.html", context)


class TaxFileView(FinanceView):
    """The same as a file."""

    def get(self, request: HttpRequest, kind: str) -> HttpResponseBase:
        """Send it."""
        period = parse_period(request.GET)
        found = sum_taxes(begins=period.first, ends=period.last)
        name = f"tax-{period.first}-{period.last}"
        return report_file(kind, name=name, columns=COLUMNS, rows=_cells(period, found))


class TaxInvoicesView(FinanceView):
    """The invoices of a period, of one tax or of all."""

    def get(self, request: HttpRequest) -> HttpResponse:
        """Show a page of them, by when they took effect."""
        period, wanted = _asked(request)
        start = place_of(request.GET.get("cursor", ""))
        rows = list_of_tax(wanted=wanted, limit=PAGE + 1, offset=start)
        context = {
            "period": period,
            "report": "tax",
            "rows": [row_of_invoice(one) for one in rows[:PAGE]],
            "next_cursor": start + PAGE if len(rows) > PAGE else None,
        }
        return render(request, "console/finance/reports/tax_invoices.html", context)


class TaxInvoicesFileView(FinanceView):
    """The same as a file."""

    def get(self, request: HttpRequest, kind: str) -> HttpResponseBase:
        """Send them."""
        period, wanted = _asked(request)
        name = f"invoices-{period.first}-{period.last}"
        return report_file(kind, name=name, columns=INVOICE_COLUMNS, rows=_invoices(wanted))


class FinanceInvoiceView(FinanceView):
    """One invoice of any organization."""

    def get(self, request: HttpRequest, invoice_id: UUID) -> HttpResponse:
        """Show it."""
        context = {"sheet": self.sheet(invoice_id), "kinds": tuple(FILES)}
        return render(request, "console/finance/invoice.html", context)

    def sheet(self, invoice_id: UUID) -> InvoiceSheet:
        """Return an invoice.

        Raises:
            Http404: There is none of this id.
        """
        found = find_invoice(invoice_id=invoice_id)
        if found is None:
            raise Http404
        return make_sheet(found)


class FinanceInvoiceFileView(FinanceInvoiceView):
    """One invoice as a file."""

    def get(self, request: HttpRequest, invoice_id: UUID, kind: str) -> HttpResponse:  # type: ignore[override] # one file's path
        """Return the file."""
        return invoice_file(self.sheet(invoice_id), kind)


def _row(line: TaxSum, period: Period) -> dict[str, Any]:
    terms = line.terms
    query = period.with_(
        currency=line.currency,
        country=terms.country,
        basis=terms.basis,
        name=terms.name,
        rate=f"{terms.rate:f}",
    )
    return {"line": line, "tax": tax_of(terms), "query": query}


def _asked(request: HttpRequest) -> tuple[Period, InvoiceFilter]:
    """Read which invoices an address asks for; what cannot be is not asked for."""
    texts = {name: request.GET[name] for name in FILTERS if name in request.GET}
    period = parse_period(request.GET, **texts)
    try:
        rate = Decimal(texts["rate"]) if "rate" in texts else None
    except InvalidOperation:
        rate = None
    return period, InvoiceFilter(
        period.first,
        period.last,
        currency=texts.get("currency", ""),
        country=texts.get("country"),
        basis=texts.get("basis", ""),
        name=texts.get("name"),
        rate=rate if rate is None or rate.is_finite() else None,
    )


def _cells(period: Period, found: Sequence[TaxOfCurrency]) -> Iterator[Sequence[object]]:
    days = (period.first, period.last)
    for one in found:
        nothing = ("", "", "", "", "")
        yield *days, "opening", *nothing, "", one.opening_micros, one.currency
        for line in one.sums:
            terms = line.terms
            yield (
                *days, "invoices", terms.country, terms.basis, terms.name, terms.rate,
                line.documents, line.net_micros, line.tax_micros, one.currency,
            )  # fmt: skip
        yield *days, "other", *nothing, "", one.other_micros, one.currency
        yield *days, "closing", *nothing, "", one.closing_micros, one.currency


def _invoices(wanted: InvoiceFilter) -> Iterator[Sequence[object]]:
    """Yield the cells of invoices; between its pages it holds no connection."""
    start = 0
    while rows := list_of_tax(wanted=wanted, limit=BATCH, offset=start):
        # A transaction's connection is its owner's.
        if not connection.in_atomic_block:
            connection.close()
        yield from map(_invoice_cells, rows)
        start += len(rows)


def _invoice_cells(one: InvoiceSummary) -> Sequence[object]:
    terms = one.terms
    return (
        one.name, one.kind, one.issued_at, one.effective_at, one.organization_id,
        one.organization_name, one.payment_id, terms.country, terms.basis, terms.name, terms.rate,
        one.net_micros, one.tax_micros, one.total_micros, one.currency,
    )  # fmt: skip
