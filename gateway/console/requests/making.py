"""Who drew what was charged: a part of a transaction, for whoever sees the balance."""

from uuid import UUID

from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render

from core.ids import quote_id, request_id
from gateway.errors import NotFoundError
from gateway.selectors.details import get_making
from orgs.console.access import OrganizationView
from orgs.permissions import Permission


class MakingView(OrganizationView):
    """The quote and the attempts of a generation, without what was asked for."""

    permission = Permission.VIEW_BALANCE

    def get(self, request: HttpRequest, generation_id: UUID) -> HttpResponse:
        """Return the fragment."""
        try:
            making = get_making(organization_id=self.organization.id, generation_id=generation_id)
        except NotFoundError as error:
            raise Http404 from error
        context = {
            "making": making,
            "request_id": request_id(generation_id),
            "quote_id": quote_id(making.quote_id) if making.quote_id else "",
        }
        return render(request, "console/requests/making.html", context)
