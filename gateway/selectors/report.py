"""All figures of a period by one group, of one instant: they are read in one query."""

from collections import Counter
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from datetime import date
from typing import Final, NamedTuple

from gateway.selectors.figures import (
    FILTERED,
    GROUPS,
    SERIES,
    DayTotals,
    GroupTotals,
    Latency,
    Scope,
    Spend,
    days_of,
    group_totals,
    quantile,
    read_scope,
)

_CELLS: Final = f"""{FILTERED}
SELECT kind, coalesce({{group}}, ''), day, label, sum(count)::bigint, sum(images)::bigint,
    sum(micros)::bigint
FROM counted GROUP BY 1, 2, 3, 4
"""  # noqa: S608 - made of constants
_KINDS: Final = ("charged", "succeeded", "failed", "canceled")


class Cell(NamedTuple):
    """What one group and day counted of one kind and label."""

    kind: str
    group: str
    day: date
    label: str
    requests: int
    images: int
    micros: int


@dataclass(frozen=True, slots=True)
class Report:
    """Figures of a scope by `model`, `api_key_id`, or of all as one group without a name."""

    scope: Scope
    cells: tuple[Cell, ...]

    def groups(self) -> list[GroupTotals]:
        """Return the sums of each group, the dearest first."""
        found: dict[str, list[Cell]] = {}
        for cell in self.cells:
            # What was only canceled has no figures.
            if cell.kind != "canceled":
                found.setdefault(cell.group, []).append(cell)
        totals = [self._totals(group, cells) for group, cells in found.items()]
        return sorted(totals, key=lambda one: (-one.micros, -one.images, one.group))

    def total(self) -> GroupTotals | None:
        """Return the sums of all; None of nothing."""
        return self._totals("", self.cells) if self.cells else None

    def days(self) -> list[DayTotals]:
        """Return every day of the scope."""
        found: dict[date, Counter[str]] = {day: Counter() for day in days_of(self.scope)}
        for cell in self.cells:
            counter = found[cell.day]
            if cell.kind == "charged":
                counter.update(charged_micros=cell.micros, charged_images=cell.images)
            else:
                counter[cell.kind] += cell.requests
        return [DayTotals(day, **counts) for day, counts in found.items()]

    def spend(self, *, series: int = SERIES) -> list[Spend]:
        """Return what was charged by group and day; the smaller groups are one."""
        spent: Counter[str] = Counter()
        for cell in self.cells:
            spent[cell.group] += cell.micros
        largest = {group for group, _ in spent.most_common(series)}
        found: dict[tuple[str | None, date], Counter[str]] = {}
        for cell in self.cells:
            if cell.kind == "charged":
                group = cell.group if cell.group in largest else None
                found.setdefault((group, cell.day), Counter()).update(
                    requests=cell.requests, images=cell.images, micros=cell.micros
                )
        return [Spend(group, day, **sums) for (group, day), sums in found.items()]

    def latencies(self, *, series: int = 0) -> list[Latency]:
        """Return p50 and p95 of each day, of the groups with most images and of all others as one.

        Args:
            series: So many groups have figures of their own.
        """
        ended: Counter[str] = Counter()
        for cell in self.cells:
            if cell.kind == "succeeded":
                ended[cell.group] += cell.requests
        largest = {group for group, _ in ended.most_common(series)}
        return list(_latencies(self.cells, largest))

    def _totals(self, group: str, cells: Iterable[Cell]) -> GroupTotals:
        kinds: dict[str, list[tuple[str, int, int, int]]] = {}
        for cell in cells:
            kinds.setdefault(cell.kind, []).append(cell[3:])
        return group_totals(group, kinds, livemode=self.scope.livemode)


def read_report(scope: Scope, *, by: str | None) -> Report:
    """Return the figures of a scope by `model`, `api_key_id`, or of all as one. One query."""
    statement = _CELLS.format(group=GROUPS[by])
    rows = read_scope(statement, scope, _KINDS, day_at=2)
    return Report(scope, tuple(Cell._make(row) for row in rows))


def _latencies(cells: Iterable[Cell], largest: Collection[str]) -> Iterable[Latency]:
    steps: dict[tuple[str | None, date], Counter[int]] = {}
    for cell in cells:
        if cell.kind == "succeeded":
            group = cell.group if cell.group in largest else None
            steps.setdefault((group, cell.day), Counter())[int(cell.label)] += cell.requests
    for (group, day), counts in steps.items():
        yield Latency(group, day, counts.total(), quantile(counts, 0.5), quantile(counts, 0.95))
