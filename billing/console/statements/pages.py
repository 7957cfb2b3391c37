"""Pages of statements, and their files."""

from collections.abc import Callable, Mapping
from typing import Final

from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render

from billing.console.billing import cursor_of
from billing.console.statements.files import as_csv, as_json
from billing.console.statements.pdf import as_pdf
from billing.console.statements.sheet import Sheet, make_sheet
from billing.selectors.statements.listing import find_statement, list_statements
from billing.selectors.wallet import WalletPlace
from billing.services.statements.issuing import preview_statement
from core.clock import now
from orgs.console.access import OrganizationView
from orgs.permissions import Permission

FILES: Final[Mapping[str, tuple[str, Callable[[Sheet], str | bytes]]]] = {
    "pdf": ("application/pdf", as_pdf),
    "csv": ("text/csv; charset=utf-8", as_csv),
    "json": ("application/json", as_json),
}


class StatementsView(OrganizationView):
    """Every statement of the organization, and what the running month has so far."""

    permission = Permission.VIEW_BALANCE

    def get(self, request: HttpRequest) -> HttpResponse:
        """Show the list."""
        statements = list_statements(organization_id=self.organization.id)
        preview = preview_statement(
            organization=self.organization, now=now(), has_statements=bool(statements)
        )
        return render(
            request,
            "console/statements/list.html",
            {
                "statements": statements,
                "kinds": tuple(FILES),
                "sheet": make_sheet(preview) if preview else None,
            },
        )


class StatementView(OrganizationView):
    """One statement."""

    permission = Permission.VIEW_BALANCE

    def get(self, request: HttpRequest, number: int) -> HttpResponse:
        """Show it as a page, from which the transactions before its end are reached."""
        sheet = self.sheet(number)
        wallet = next(one for one in sheet.accounts if one.code == "wallet")
        cursor = cursor_of(WalletPlace(wallet.to_seq, wallet.closing_micros))
        context = {"sheet": sheet, "number": number, "cursor": cursor if wallet.to_seq else ""}
        return render(request, "console/statements/detail.html", context)

    def sheet(self, number: int) -> Sheet:
        """Return the statement of a number.

        Raises:
            Http404: The organization has none of that number.
        """
        found = find_statement(organization_id=self.organization.id, number=number)
        if found is None:
            raise Http404
        return make_sheet(found.content, digest=found.digest)


class StatementFileView(StatementView):
    """One statement as a file."""

    def get(self, request: HttpRequest, number: int, kind: str) -> HttpResponse:  # type: ignore[override] # one file's path
        """Return the file."""
        if kind not in FILES:
            raise Http404
        content_type, write = FILES[kind]
        sheet = self.sheet(number)
        disposition = f'attachment; filename="{sheet.name}.{kind}"'
        headers = {"Content-Disposition": disposition, "Cache-Control": "private, no-store"}
        return HttpResponse(write(sheet), content_type=content_type, headers=headers)
