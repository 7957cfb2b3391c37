"""From the address of a report of margins to what it asks for."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final
from uuid import UUID

from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from billing.console.finance.reports.period import Period, parse_period
from gateway.selectors.reports.margin import MarginScope
from gateway.selectors.rollups import NO_KEY

BY: Final[Mapping[str, Promise]] = {
    "day": gettext_lazy("Day"),
    "model": gettext_lazy("Model"),
    "provider": gettext_lazy("Provider"),
    "organization": gettext_lazy("Organization"),
    "currency": gettext_lazy("Currency"),
}
FILTERS: Final = ("organization", "model", "provider", "currency")


@dataclass(frozen=True, slots=True)
class MarginQuery:
    """A report's period, its grouping and its filters."""

    period: Period
    by: str
    scope: MarginScope
    filters: Mapping[str, str]


def parse_margin_query(data: Mapping[str, Any]) -> MarginQuery:
    """Read an address; a value that cannot be is as if it were not there."""
    by = data.get("by", "")
    filters = {name: str(data[name])[:100] for name in FILTERS if name in data}
    organization = _uuid(filters.get("organization", ""))
    if organization is None:
        filters.pop("organization", None)
    by = by if by in BY else "day"
    period = parse_period(data, by=by)
    scope = MarginScope(
        period.first,
        period.last,
        organization,
        filters.get("model"),
        filters.get("provider"),
        filters.get("currency"),
    )
    # An empty model or provider is a filter of its own.
    whole = Period(period.first, period.last, period.form, {"by": by, **filters})
    return MarginQuery(whole, by, scope, filters)


def group_name(by: str, name: str, names: Mapping[str, str]) -> str:
    """Return what a group is called."""
    if by == "organization":
        return _("No organization") if name == NO_KEY else names.get(name, name)
    return name or (_("Without a model") if by == "model" else _("Without a provider"))


def _uuid(text: str) -> UUID | None:
    try:
        return UUID(text)
    except ValueError:
        return None
