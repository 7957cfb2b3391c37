"""What changed: figures of a period beside those of as many days before it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, timedelta
from typing import Final

from gateway.console.usage_charts import group_name
from gateway.console.usage_query import FILTERS, UsageQuery
from gateway.selectors.figures import GroupTotals, Scope

MOST: Final = 5


@dataclass(frozen=True, slots=True)
class Change:
    """One group in both periods, and where the charges of each are."""

    name: str
    before: GroupTotals
    now: GroupTotals
    before_charges: str
    now_charges: str

    @property
    def micros(self) -> int:
        """Return how much more was charged."""
        return self.now.micros - self.before.micros

    @property
    def images(self) -> int:
        """Return how many more images there were."""
        return self.now.images - self.before.images


@dataclass(frozen=True, slots=True)
class Changes:
    """All groups as one, and those that changed most.

    Attributes:
        first: The first of the days before,
        last: and the last.
    """

    first: date
    last: date
    total: Change
    groups: tuple[Change, ...]


def earlier(scope: Scope) -> Scope:
    """Return a scope of as many days, which end where this one begins."""
    days = (scope.last - scope.first).days + 1
    last = scope.first - timedelta(days=1)
    return replace(scope, first=last - timedelta(days=days - 1), last=last)


def changes_of(
    query: UsageQuery,
    now: Sequence[GroupTotals],
    before: Sequence[GroupTotals],
    names: Mapping[str, str],
) -> Changes | None:
    """Compare two periods; None where there was nothing before.

    Args:
        query: What is asked for.
        now: The groups of its period,
        before: and of the days before it.
        names: Of keys.
    """
    if not before:
        return None
    past = earlier(query.scope)
    period = {"since": past.first.isoformat(), "until": past.last.isoformat()}
    found = {one.group: one for one in now}, {one.group: one for one in before}
    groups = []
    for group in found[0].keys() | found[1].keys():
        own = {FILTERS[query.by]: group}
        nothing = GroupTotals(group, 0, 0, 0)
        groups.append(
            Change(
                group_name(query.by, group, names),
                before=found[1].get(group, nothing),
                now=found[0].get(group, nothing),
                before_charges=query.address(**own, **period),
                now_charges=query.address(**own),
            )
        )
    groups.sort(key=lambda one: (-abs(one.micros), -abs(one.images), one.name))
    total = Change("", _sum(before), _sum(now), query.address(**period), query.address())
    return Changes(past.first, past.last, total, tuple(groups[:MOST]))


def _sum(groups: Sequence[GroupTotals]) -> GroupTotals:
    return GroupTotals(
        "",
        requests=sum(one.requests for one in groups),
        images=sum(one.images for one in groups),
        micros=sum(one.micros for one in groups),
        failures=tuple(failure for one in groups for failure in one.failures),
    )
