"""Comparing what a provider says of each day and model with what was booked.

A file rounds each line to a micro at best: sums of as many lines differ by as many micros without
a difference.
"""

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import date, timedelta

from billing.models import ProviderDifference, ProviderImport
from billing.services.reconciliation.reading import Charge
from billing.types import BookedCalls, CallCell

Kind = ProviderDifference.Kind
Unit = ProviderImport.Unit


@dataclass(frozen=True, slots=True)
class Difference:
    """A day and model of which both say something else."""

    day: date
    model: str
    kind: str
    our_count: int
    our_micros: int
    their_count: int
    their_micros: int
    upstream_ids: tuple[str, ...] = ()

    @property
    def moves(self) -> tuple[int, int]:
        """Return what they say more: how many, and micros."""
        return self.their_count - self.our_count, self.their_micros - self.our_micros


@dataclass(slots=True)
class _Charged:
    count: int = 0
    micros: int = 0
    lines: int = 0
    upstream_ids: list[str] = field(default_factory=list)


def compare(
    charges: Iterable[Charge],
    booked: Mapping[CallCell, BookedCalls],
    *,
    unit: str,
    charged_before: frozenset[str] = frozenset(),
) -> list[Difference]:
    """Return the differences by day and model; equal ones are left out.

    Args:
        charges: The lines of a file.
        booked: What was booked in the file's period.
        unit: What the file's counts are of; of none only amounts are compared.
        charged_before: Ids of calls that an earlier file of the provider has charged.
    """
    charged = _sum_up(charges, {model for _, model in booked}, charged_before)
    found = []
    for cell in sorted(charged.keys() | booked.keys()):
        theirs = charged.get(cell, _Charged())
        ours = booked.get(cell, BookedCalls(0, 0, 0))
        kind = _kind(theirs, ours, unit)
        if kind:
            found.append(
                Difference(
                    *cell,
                    kind,
                    _count(ours, unit),
                    ours.micros,
                    theirs.count,
                    theirs.micros,
                    tuple(sorted(set(theirs.upstream_ids))),
                )
            )
    return _shift(found, booked)


def _sum_up(
    charges: Iterable[Charge], known: set[str], charged_before: frozenset[str]
) -> dict[CallCell, _Charged]:
    rows = list(charges)
    times = Counter(one.upstream_id for one in rows if one.upstream_id)
    names = {one.model: our_name(one.model, known) for one in rows}
    charged: dict[CallCell, _Charged] = defaultdict(_Charged)
    for one in rows:
        cell = charged[one.day, names[one.model]]
        cell.count += one.count
        cell.micros += one.micros
        cell.lines += 1
        if times[one.upstream_id] > 1 or one.upstream_id in charged_before:
            cell.upstream_ids.append(one.upstream_id)
    return charged


def our_name(model: str, known: set[str]) -> str:
    """Return what a model is called here: theirs may name its snapshot, and write it otherwise."""
    plain = model.casefold()
    same = [name for name in known if name.casefold() == plain]
    longer = [name for name in known if plain.startswith((f"{name}-20".casefold(), f"{name}@"))]
    return (same or sorted(longer, key=len, reverse=True) or [model])[0]


def _kind(theirs: _Charged, ours: BookedCalls, unit: str) -> str:
    if theirs.upstream_ids:
        return Kind.DUPLICATE
    if not ours.calls:
        return Kind.MISSING_HERE if theirs.micros else ""
    if not theirs.lines:
        return Kind.MISSING_THERE
    if unit != Unit.NONE and theirs.count != _count(ours, unit):
        return Kind.MORE if theirs.count > _count(ours, unit) else Kind.FEWER
    is_same = abs(theirs.micros - ours.micros) <= theirs.lines
    return "" if is_same else Kind.AMOUNT


def _count(ours: BookedCalls, unit: str) -> int:
    return ours.images if unit == Unit.IMAGES else ours.calls


def _shift(found: list[Difference], booked: Mapping[CallCell, BookedCalls]) -> list[Difference]:
    """Mark what one day has too much and its neighbor too little, by calls around midnight."""
    by_cell = {(one.day, one.model): one for one in found}
    for one in found:
        following = by_cell.get((one.day + timedelta(days=1), one.model))
        current = by_cell[one.day, one.model]
        if following is not None and _is_shifted(current, following, booked):
            for this in (one, following):
                by_cell[this.day, this.model] = replace(this, kind=Kind.SHIFTED)
    return list(by_cell.values())


def _is_shifted(
    one: Difference, following: Difference, booked: Mapping[CallCell, BookedCalls]
) -> bool:
    if {one.kind, following.kind} & {Kind.DUPLICATE, Kind.SHIFTED}:
        return False
    count, micros = one.moves
    if following.moves != (-count, -micros):
        return False
    nothing = BookedCalls(0, 0, 0)
    # Booked on the day before midnight or on the one after it, and charged on the other.
    if micros < 0:
        near = booked.get((one.day, one.model), nothing).late
    else:
        near = booked.get((following.day, following.model), nothing).early
    return near >= max(abs(count), 1)
