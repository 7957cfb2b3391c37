"""One organization, for operators: what it is, has and did, its people, and one request of it."""

from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Final
from uuid import UUID

from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import render
from django.urls import reverse
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from billing.selectors.budgets import BudgetView, get_budgets, get_wallet_status, month_of
from core.clock import now
from core.errors import AppError, Category
from core.ids import request_id
from gateway.console.operations.organizations import DAYS, OPERATORS, first_day, state_of
from gateway.console.requests.detail import detail_context
from gateway.console.requests.log import STATES
from gateway.errors import NotFoundError
from gateway.selectors.details import get_detail
from gateway.selectors.figures import Scope, totals_by
from gateway.selectors.operations.organizations import (
    RecentRequest,
    organization_of,
    recent_requests,
)
from gateway.selectors.reasons import reason_of
from orgs.console.access import StaffView
from orgs.console.administration.words import action_name
from orgs.selectors import Organization, get_organization
from orgs.selectors.api_keys import KeyView, list_keys
from orgs.selectors.audit import list_events
from orgs.selectors.people import list_members
from orgs.selectors.webhooks import count_deliveries
from orgs.services.webhooks import list_endpoints

REQUESTS: Final = 8
EVENTS: Final = 8
TABS: Final = (
    ("operations_organization", _("Overview")),
    ("operations_organization_people", _("Members, keys, webhooks")),
    ("operations_organization_actions", _("Actions")),
)


@dataclass(frozen=True, slots=True)
class Tab:
    """One page of an organization."""

    label: Promise
    url: str
    is_current: bool


@dataclass(frozen=True, slots=True)
class RequestRow:
    """A request as the page draws it."""

    request: RecentRequest
    public_id: str
    state: str
    word: Promise
    reason: Promise | None


@dataclass(frozen=True, slots=True)
class KeyRow:
    """An API key beside what this month has seen of it."""

    key: KeyView
    budget: BudgetView


class OrganizationPageView(StaffView):
    """A page about one organization, whose id is in the path.

    Attributes:
        organization: Which.
        tab: The page's own entry among `TABS`.
    """

    staff_roles = OPERATORS
    organization: Organization
    tab: str = ""

    def dispatch(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:  # noqa: ANN401
        """Serve, and translate what no form shows.

        Raises:
            Http404: There is no such thing.
            PermissionDenied: It may not be done.
        """
        try:
            return super().dispatch(request, *args, **kwargs)
        except AppError as error:
            if error.category == Category.NOT_FOUND:
                raise Http404 from error
            if error.category == Category.PERMISSION:
                raise PermissionDenied from error
            raise

    def load(self, organization_id: UUID) -> dict[str, Any]:
        """Read the organization; return what every page about it shows. One query."""
        return self.shown(get_organization(organization_id=organization_id))

    def shown(self, one: Organization) -> dict[str, Any]:
        """Return what every page about an organization shows."""
        self.organization = one
        return {
            "organization": one,
            "state": state_of(
                suspended_at=one.suspended_at,
                deletion_due_at=one.deletion_due_at,
                purged_at=one.purged_at,
            ),
            "currency": one.currency,
            "tabs": [
                Tab(label, reverse(name, args=(one.id,)), name == self.tab) for name, label in TABS
            ],
        }


class OverviewView(OrganizationPageView):
    """Its settings, money, last requests and failures, and what happened."""

    tab = "operations_organization"

    def get(self, request: HttpRequest, organization_id: UUID) -> HttpResponse:
        """Show them. Seven queries."""
        context = self.load(organization_id)
        one, instant = self.organization, now()
        first = first_day(time_zone=one.time_zone, instant=instant).date()
        scope = Scope(one.id, one.time_zone, first, first + timedelta(days=DAYS - 1))
        total = next(iter(totals_by(scope, by=None)), None)
        events, _more = list_events(organization_id=one.id, limit=EVENTS)
        context |= {
            "status": get_wallet_status(
                organization_id=one.id, time_zone=one.time_zone, now=instant
            ),
            "total": total,
            "reasons": [(failed, reason_of(failed.code)) for failed in total.failures]
            if total
            else [],
            "requests": _rows(recent_requests(organization_id=one.id, limit=REQUESTS)),
            "failures": _rows(
                recent_requests(organization_id=one.id, limit=REQUESTS, only_failed=True)
            ),
            "events": [(event, action_name(event.action)) for event in events],
        }
        return render(request, "console/operations/organization.html", context)


class PeopleView(OrganizationPageView):
    """Its members, API keys without their secrets, and webhooks."""

    tab = "operations_organization_people"

    def get(self, request: HttpRequest, organization_id: UUID) -> HttpResponse:
        """Show them. Seven queries."""
        context = self.load(organization_id)
        one, instant = self.organization, now()
        month = month_of(instant, time_zone=one.time_zone)
        budgets = get_budgets(organization_id=one.id, month=month)
        counts = count_deliveries(organization_id=one.id, since=instant - timedelta(days=1))
        context |= {
            "members": list_members(organization_id=one.id),
            "keys": [
                KeyRow(key, budgets.of_key(key.id))
                for key in list_keys(organization_id=one.id, now=instant)
            ],
            "webhooks": [
                (webhook, counts.get(webhook.id))
                for webhook in list_endpoints(organization_id=one.id)
            ],
        }
        return render(request, "console/operations/people.html", context)


class StaffRequestView(OrganizationPageView):
    """One request of any organization: attempts, reasons, money and cost; no prompt, no image."""

    def get(self, request: HttpRequest, generation_id: UUID) -> HttpResponse:
        """Show it."""
        owner = organization_of(generation_id=generation_id)
        if owner is None:
            raise NotFoundError("No such request.")
        context = self.shown(owner)
        detail = get_detail(organization_id=owner.id, generation_id=generation_id, for_staff=True)
        context |= detail_context(detail, organization_id=owner.id, is_read=False)
        context["for_staff"] = True
        return render(request, "console/operations/request.html", context)


def _rows(found: list[RecentRequest]) -> list[RequestRow]:
    return [
        RequestRow(one, request_id(one.id), *STATES[one.status], reason_of(one.error_code))
        for one in found
    ]
