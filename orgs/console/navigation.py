"""What stands at the left of every page, as data.

An entry appears once a URL of its name exists, for those whose role has its permission: a page is
added by adding its URL.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from uuid import UUID

from django.urls import NoReverseMatch, reverse
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy

from orgs.permissions import Permission, permissions_of


@dataclass(frozen=True, slots=True)
class Entry:
    """One page. `permission` None is for every member."""

    label: Promise
    icon: str
    url_name: str
    permission: Permission | None = None


@dataclass(frozen=True, slots=True)
class Group:
    """Pages under one heading."""

    label: Promise | str
    entries: Sequence[Entry]


@dataclass(frozen=True, slots=True)
class StaffGroup(Group):
    """Pages of the platform's staff of some roles."""

    roles: frozenset[str]


@dataclass(frozen=True, slots=True)
class Link:
    """An entry as it is drawn."""

    label: Promise
    icon: str
    url: str
    is_current: bool


@dataclass(frozen=True, slots=True)
class Section:
    """A group as it is drawn."""

    label: Promise | str
    links: Sequence[Link]
    is_staff: bool


ORGANIZATION = (
    Group("", (Entry(_("Home"), "home", "home"),)),
    Group(
        _("Build"),
        (
            Entry(_("Playground"), "wand", "playground", Permission.CREATE_GENERATIONS),
            Entry(_("Gallery"), "photo", "gallery", Permission.VIEW_GENERATIONS),
            Entry(_("Requests"), "list-details", "requests", Permission.VIEW_GENERATIONS),
            Entry(_("API keys"), "key", "api_keys", Permission.VIEW_KEYS),
            Entry(_("Webhooks"), "webhook", "webhooks", Permission.MANAGE_WEBHOOKS),
        ),
    ),
    Group(
        _("Money"),
        (
            Entry(_("Usage"), "chart-bar", "usage", Permission.VIEW_USAGE),
            Entry(_("Billing"), "wallet", "billing", Permission.VIEW_BALANCE),
            Entry(_("Statements"), "file-invoice", "statements", Permission.VIEW_BALANCE),
            Entry(_("Budgets"), "gauge", "budgets", Permission.VIEW_USAGE),
        ),
    ),
    Group(
        _("Organization"),
        (
            Entry(_("Members"), "users", "members", Permission.VIEW_MEMBERS),
            Entry(_("Settings"), "settings", "organization_settings", Permission.MANAGE_SETTINGS),
            Entry(_("Audit log"), "history", "audit_log", Permission.VIEW_AUDIT),
        ),
    ),
)
STAFF = (
    StaffGroup(
        _("Operations"),
        (
            Entry(_("Organizations"), "building", "operations_organizations"),
            Entry(_("Models and routes"), "route", "operations_models"),
            Entry(_("Providers"), "plug-connected", "operations_providers"),
            Entry(_("Queues"), "stack-2", "operations_queues"),
            Entry(_("Findings"), "alert-triangle", "operations_findings"),
            Entry(_("Audit log"), "history", "operations_audit"),
        ),
        frozenset({"operator"}),
    ),
    StaffGroup(
        _("Finance"),
        (
            Entry(_("Overview"), "report", "finance_overview"),
            Entry(_("Price book"), "book", "finance_prices"),
            Entry(_("Exchange rates"), "arrows-exchange", "finance_rates"),
            Entry(_("Top-ups"), "coins", "finance_topups"),
            Entry(_("Taxes"), "percentage", "finance_taxes"),
            Entry(_("Refunds"), "arrow-back-up", "finance_refunds"),
            Entry(_("Reports"), "file-text", "finance_reports"),
            Entry(_("Reconciliation"), "scale", "finance_reconciliation"),
            Entry(pgettext_lazy("accounting", "Close"), "calendar-check", "finance_close"),
        ),
        frozenset({"finance"}),
    ),
)


def organization_sections(*, organization_id: UUID, role: str, path: str) -> Iterator[Section]:
    """Yield the sections of an organization for a member."""
    allowed = permissions_of(role)
    for group in ORGANIZATION:
        entries = [
            one for one in group.entries if one.permission is None or one.permission in allowed
        ]
        if links := list(_links(entries, path, organization_id)):
            yield Section(group.label, links, is_staff=False)


def staff_sections(*, staff_role: str, path: str) -> Iterator[Section]:
    """Yield the sections of the platform for one of its staff."""
    for group in STAFF:
        if staff_role in group.roles and (links := list(_links(group.entries, path, None))):
            yield Section(group.label, links, is_staff=True)


def _links(entries: Sequence[Entry], path: str, organization_id: UUID | None) -> Iterator[Link]:
    keywords = {} if organization_id is None else {"organization_id": organization_id}
    for entry in entries:
        try:
            url = reverse(entry.url_name, kwargs=keywords)
        except NoReverseMatch:
            continue
        # Every page of an organization is below its home.
        is_current = path == url or (entry.url_name != "home" and path.startswith(f"{url}/"))
        yield Link(entry.label, entry.icon, url, is_current)
