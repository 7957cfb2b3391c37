"""From the address of a page of figures to what it asks for."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any, Final
from urllib.parse import urlencode
from uuid import UUID

from django import forms
from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from gateway.selectors.figures import Scope
from orgs.console.widgets import DayField
from orgs.selectors import Organization

DEFAULT_DAYS: Final = 30
MOST_DAYS: Final = 366
GROUPS: Final[Mapping[str, Promise]] = {
    "model": gettext_lazy("Model"),
    "api_key_id": gettext_lazy("API key"),
    "user": gettext_lazy("User"),
}
# What stands for a filter in an address.
FILTERS: Final[Mapping[str, str]] = {"model": "model", "api_key_id": "key", "user": "user"}


@dataclass(frozen=True, slots=True)
class Preset:
    """A usual period: a chip."""

    label: str
    first: date
    last: date
    is_current: bool


class UsageForm(forms.Form):
    """The period, the grouping and the filters, as they stand in the address."""

    since = DayField(
        label=gettext_lazy("From"),
        required=False,
        input_formats=["%Y-%m-%d"],
        widget=forms.DateInput(format="%Y-%m-%d", attrs={"type": "date"}),
    )
    until = DayField(
        label=gettext_lazy("To"),
        required=False,
        input_formats=["%Y-%m-%d"],
        widget=forms.DateInput(format="%Y-%m-%d", attrs={"type": "date"}),
    )
    by = forms.ChoiceField(choices=list(GROUPS.items()), required=False)
    month = DayField(required=False, input_formats=["%Y-%m"])
    model = forms.CharField(required=False, max_length=100)
    key = forms.UUIDField(required=False)
    user = forms.CharField(required=False, max_length=512, empty_value=None, strip=False)

    def clean(self) -> dict[str, Any]:
        """Refuse a period that ends before it begins, or is too long to be added up."""
        data = super().clean() or {}
        since, until = data.get("since"), data.get("until")
        if since and until and until < since:
            raise forms.ValidationError(_("The period ends before it begins."))
        if since and until and (until - since).days >= MOST_DAYS:
            raise forms.ValidationError(
                _("A period has at most %(days)s days.") % {"days": MOST_DAYS}
            )
        return data


@dataclass(frozen=True, slots=True)
class UsageQuery:
    """What a page of figures is asked for; a value that cannot be is as if it were not there."""

    form: UsageForm
    scope: Scope
    by: str
    month: date | None

    @property
    def filters(self) -> dict[str, str]:
        """Return the filters that are set, as in an address."""
        scope = self.scope
        found = {"model": scope.model, "key": scope.api_key_id, "user": scope.user}
        return {name: str(value) for name, value in found.items() if value is not None}

    @property
    def requests(self) -> str:
        """Return the same period and filters as the request log's address has them."""
        return self.requests_of()

    def requests_of(self, **more: object) -> str:
        """Return the request log's address of the same period and filters with others."""
        period = {"from": self.scope.first.isoformat(), "to": self.scope.last.isoformat()}
        return "?" + urlencode({**period, **self.filters, **more})

    def address(self, **more: object) -> str:
        """Return the query string of the same period and filters with others, None for without."""
        period = {"since": self.scope.first.isoformat(), "until": self.scope.last.isoformat()}
        values = {**period, **self.filters, **more}
        return "?" + urlencode({name: one for name, one in values.items() if one is not None})


def parse_query(
    data: Mapping[str, Any],
    *,
    organization: Organization,
    livemode: bool,
    today: date,
    with_user: bool = False,
) -> UsageQuery:
    """Read an address; without a period the last days up to today.

    Args:
        data: The address's parameters.
        organization: Whose figures.
        livemode: Of live keys or of test keys.
        today: In the organization's zone.
        with_user: Whether one user is a filter. Budgets of a month know keys alone.
    """
    form = UsageForm(data)
    is_valid = form.is_valid()
    asked: dict[str, Any] = form.cleaned_data
    month: date | None = asked.get("month")
    since, until = (asked.get("since"), asked.get("until")) if is_valid else (None, None)
    last = until or (max(today, since) if since else today)
    first = since or last - timedelta(days=DEFAULT_DAYS - 1)
    if month is not None:
        first, last = month, _end_of_month(month)
    elif (last - first).days >= MOST_DAYS:
        first = last - timedelta(days=MOST_DAYS - 1)
    api_key_id: UUID | None = asked.get("key")
    # An empty user is a filter of its own: what was asked for without one.
    has_user = with_user and "user" in data and month is None
    scope = Scope(
        organization_id=organization.id,
        zone=organization.time_zone,
        first=first,
        last=last,
        livemode=livemode,
        model=(asked.get("model") or None) if month is None else None,
        api_key_id=api_key_id,
        user=data["user"] if has_user else None,
    )
    return UsageQuery(form, scope, asked.get("by") or "model", month)


def presets(query: UsageQuery, *, today: date) -> list[Preset]:
    """Return the usual periods up to today."""
    this_month = today.replace(day=1)
    before = (this_month - timedelta(days=1)).replace(day=1)
    periods = (
        (_("7 days"), today - timedelta(days=6), today),
        (_("30 days"), today - timedelta(days=29), today),
        (_("This month"), this_month, today),
        (_("Last month"), before, this_month - timedelta(days=1)),
    )
    shown = (query.scope.first, query.scope.last)
    return [
        Preset(label, first, last, is_current=(first, last) == shown)
        for label, first, last in periods
    ]


def _end_of_month(first: date) -> date:
    return (first + timedelta(days=31)).replace(day=1) - timedelta(days=1)
