"""The audit log of every organization and of the platform itself, for operators."""

from dataclasses import replace
from typing import Final
from uuid import UUID

from django import forms
from django.http import HttpRequest, HttpResponse
from django.http.response import StreamingHttpResponse

from orgs.console.access import StaffView
from orgs.console.administration.audit import AuditPages, FilterForm
from orgs.selectors import User
from orgs.selectors.audit import PLATFORM_COLUMNS, AuditFilter
from orgs.selectors.people import find_user_id, search_organizations

# A name that more organizations have is too short to filter by.
MOST_NAMED: Final = 50
NOBODY: Final = UUID(int=0)


class PlatformFilterForm(FilterForm):
    """Which lines; organizations and people are named, or given by id."""

    organization = forms.CharField(required=False, max_length=200)
    actor = forms.CharField(required=False, max_length=254)  # type: ignore[assignment] # of a form

    def actor_id(self) -> UUID | None:
        """Return who is asked for; of an unknown address, nobody. One query for an address."""
        text = self.cleaned_data["actor"]
        if not text:
            return None
        try:
            return UUID(text)
        except ValueError:
            return find_user_id(email=text) or NOBODY

    def filters(self) -> AuditFilter:
        """Return what is asked for. One more query for an organization."""
        filters = super().filters()
        text = self.cleaned_data["organization"]
        if not text:
            return filters
        found, _more = search_organizations(text=text, limit=MOST_NAMED)
        return replace(filters, organization_ids=frozenset(one.id for one in found))


class PlatformAuditPages(AuditPages, StaffView):
    """The log of all."""

    staff_roles = frozenset({User.StaffRole.OPERATOR.value})
    form_class = PlatformFilterForm
    columns = PLATFORM_COLUMNS
    list_name = "operations_audit"
    event_name = "operations_audit_event"
    export_name = "operations_audit_export"


class PlatformAuditView(PlatformAuditPages):
    """The log, and beside it one of its lines."""

    def get(self, request: HttpRequest, event_id: UUID | None = None) -> HttpResponse:
        """Show a page of it."""
        return self.page(request, event_id)


class PlatformAuditExportView(PlatformAuditPages):
    """The filtered log as CSV."""

    def get(self, request: HttpRequest) -> StreamingHttpResponse:
        """Stream it."""
        return self.file(request)
