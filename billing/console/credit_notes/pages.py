"""The page of a credit note, and its files."""

from collections.abc import Callable, Mapping
from typing import Final

from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render

from billing.console.credit_notes.files import as_csv, as_json, as_pdf
from billing.console.credit_notes.sheet import CreditNoteSheet, make_sheet
from billing.selectors.refunds.notes import find_credit_note, list_credit_notes
from orgs.console.access import OrganizationView
from orgs.permissions import Permission

PAGE: Final = 50
FILES: Final[Mapping[str, tuple[str, Callable[[CreditNoteSheet], str | bytes]]]] = {
    "pdf": ("application/pdf", as_pdf),
    "csv": ("text/csv; charset=utf-8", as_csv),
    "json": ("application/json", as_json),
}


class CreditNotesView(OrganizationView):
    """Every credit note of the organization."""

    permission = Permission.VIEW_BALANCE

    def get(self, request: HttpRequest) -> HttpResponse:
        """Show a page of them, newest first."""
        cursor = request.GET.get("cursor", "")
        notes = list_credit_notes(
            organization_id=self.organization.id,
            limit=PAGE + 1,
            reference=request.GET.get("request", "")[:255],
            before=int(cursor) if cursor.isascii() and cursor.isdigit() else None,
        )
        context = {
            "notes": notes[:PAGE],
            "kinds": tuple(FILES),
            "next_cursor": notes[PAGE - 1].number if len(notes) > PAGE else None,
        }
        return render(request, "console/credit_notes/list.html", context)


class CreditNotePageView(OrganizationView):
    """One credit note."""

    permission = Permission.VIEW_BALANCE

    def get(self, request: HttpRequest, number: int) -> HttpResponse:
        """Show it as a page."""
        sheet = self.sheet(number)
        return render(
            request, "console/credit_notes/detail.html", {"sheet": sheet, "kinds": tuple(FILES)}
        )

    def sheet(self, number: int) -> CreditNoteSheet:
        """Return the credit note of a number.

        Raises:
            Http404: The organization has none of that number.
        """
        found = find_credit_note(organization_id=self.organization.id, number=number)
        if found is None:
            raise Http404
        return make_sheet(found)


class CreditNoteFileView(CreditNotePageView):
    """One credit note as a file."""

    def get(self, request: HttpRequest, number: int, kind: str) -> HttpResponse:  # type: ignore[override] # one file's path
        """Return the file."""
        if kind not in FILES:
            raise Http404
        content_type, write = FILES[kind]
        disposition = f'attachment; filename="credit-note-{number}.{kind}"'
        headers = {"Content-Disposition": disposition, "Cache-Control": "private, no-store"}
        return HttpResponse(write(self.sheet(number)), content_type=content_type, headers=headers)
