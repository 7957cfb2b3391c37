"""All organizations, for operators: found, filtered, and what each has and spends."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, time, timedelta
from typing import Final
from uuid import UUID
from zoneinfo import ZoneInfo

from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy

from billing.selectors.balances import list_balances
from billing.types import BalanceView
from core.clock import now
from core.errors import AppError
from gateway.console.requests.filters import read_uuid
from gateway.selectors.operations.organizations import OrganizationFigures, organization_figures
from orgs.console.access import StaffView
from orgs.selectors import User
from orgs.selectors.people import OrganizationView, search_organizations

PAGE: Final = 50
DAYS: Final = 30
LONGEST_SEARCH: Final = 200
OPERATORS: Final = frozenset({User.StaffRole.OPERATOR.value})
FILTERS: Final[Mapping[str, Promise]] = {
    "": pgettext_lazy("organizations", "All"),
    "active": pgettext_lazy("organizations", "Active"),
    "suspended": pgettext_lazy("organizations", "Suspended"),
    "closing": pgettext_lazy("organizations", "To be deleted"),
    "demo": pgettext_lazy("organizations", "Demo"),
}


@dataclass(frozen=True, slots=True)
class State:
    """How an organization is, as an icon and a word."""

    kind: str
    word: Promise


@dataclass(frozen=True, slots=True)
class Row:
    """A line of the list."""

    organization: OrganizationView
    state: State
    balance: BalanceView
    figures: OrganizationFigures


class OrganizationsView(StaffView):
    """The list."""

    staff_roles = OPERATORS

    def get(self, request: HttpRequest) -> HttpResponse:
        """Show a page of it. Three queries."""
        text = request.GET.get("q", "").strip()[:LONGEST_SEARCH].replace("\x00", "")
        state = request.GET.get("state", "")
        try:
            found, has_more = search_organizations(
                text=text,
                state=state,
                limit=PAGE,
                after=read_uuid(request.GET.get("cursor", "")),
            )
        except AppError as error:
            raise Http404 from error
        context = {
            "rows": _rows(found),
            "next_cursor": str(found[-1].id) if has_more else "",
            "chips": list(FILTERS.items()),
            "chosen": state,
            "text": text,
            "is_filtered": bool(text or state),
        }
        return render(request, "console/operations/organizations.html", context)


def state_of(
    *,
    suspended_at: datetime | None,
    deletion_due_at: datetime | None,
    purged_at: datetime | None,
) -> State:
    """Return what is to be said of an organization first."""
    if purged_at is not None:
        return State("off", pgettext_lazy("organization", "Deleted"))
    if deletion_due_at is not None:
        return State("warning", _("To be deleted"))
    if suspended_at is not None:
        return State("failed", pgettext_lazy("organization", "Suspended"))
    return State("ok", pgettext_lazy("organization", "Active"))


def first_day(*, time_zone: str, instant: datetime) -> datetime:
    """Return when the first of the last `DAYS` days began, today among them."""
    zone = ZoneInfo(time_zone)
    day = instant.astimezone(zone).date() - timedelta(days=DAYS - 1)
    return datetime.combine(day, time.min, zone)


def _rows(found: Sequence[OrganizationView]) -> list[Row]:
    instant = now()
    ids: list[UUID] = [one.id for one in found]
    balances = list_balances(organization_ids=ids)
    figures = organization_figures(
        [(one.id, first_day(time_zone=one.time_zone, instant=instant)) for one in found]
    )
    return [
        Row(
            one,
            state_of(
                suspended_at=one.suspended_at,
                deletion_due_at=one.deletion_due_at,
                purged_at=one.purged_at,
            ),
            balances.get(one.id) or BalanceView(one.currency, 0, 0),
            figures.get(one.id) or OrganizationFigures(),
        )
        for one in found
    ]
