"""Pages of invoices for the organization that they are made out to."""

from typing import Final
from uuid import UUID

from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render

from billing.console.taxes.files import FILES, invoice_file
from billing.console.taxes.sheet import InvoiceSheet, make_sheet
from billing.console.taxes.words import row_of_invoice, tax_of
from billing.selectors.taxes.invoices import find_invoice, list_invoices
from billing.selectors.taxes.terms import find_terms
from core.clock import now
from orgs.console.access import OrganizationView
from orgs.permissions import Permission

PAGE: Final = 50
_DIGITS: Final = 6


class InvoicesView(OrganizationView):
    """Every invoice and correction of the organization, and how it is taxed."""

    permission = Permission.VIEW_BALANCE

    def get(self, request: HttpRequest) -> HttpResponse:
        """Show a page of them, newest first."""
        start = place_of(request.GET.get("cursor", ""))
        found = list_invoices(organization_id=self.organization.id, limit=PAGE + 1, offset=start)
        context = {
            "rows": [row_of_invoice(one) for one in found[:PAGE]],
            "kinds": tuple(FILES),
            "next_cursor": start + PAGE if len(found) > PAGE else None,
            "tax": tax_of(find_terms(self.organization, at=now())),
            "may_manage_profile": self.may(Permission.MANAGE_BILLING_PROFILE),
        }
        return render(request, "console/taxes/list.html", context)


class InvoiceView(OrganizationView):
    """One invoice."""

    permission = Permission.VIEW_BALANCE

    def get(self, request: HttpRequest, invoice_id: UUID) -> HttpResponse:
        """Show it as a page."""
        context = {"sheet": self.sheet(invoice_id), "kinds": tuple(FILES)}
        return render(request, "console/taxes/invoice.html", context)

    def sheet(self, invoice_id: UUID) -> InvoiceSheet:
        """Return an invoice of the organization.

        Raises:
            Http404: It has none of this id.
        """
        found = find_invoice(invoice_id=invoice_id, organization_id=self.organization.id)
        if found is None:
            raise Http404
        return make_sheet(found)


class InvoiceFileView(InvoiceView):
    """One invoice as a file."""

    def get(self, request: HttpRequest, invoice_id: UUID, kind: str) -> HttpResponse:  # type: ignore[override] # one file's path
        """Return the file."""
        return invoice_file(self.sheet(invoice_id), kind)


def place_of(cursor: str) -> int:
    """Return how many rows are before a page; none for a cursor that cannot be."""
    return int(cursor) if cursor.isascii() and cursor.isdigit() and len(cursor) <= _DIGITS else 0
