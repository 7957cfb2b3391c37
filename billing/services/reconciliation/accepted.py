"""What accepted differences have added to the books of a provider, so that none is booked twice."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime
from typing import Final

from django.db import connection
from django.db.models import QuerySet

from billing.errors import DifferenceDecidedError
from billing.models import ProviderDifference, ProviderImport
from billing.types import BookedCalls, CallCell

Kind = ProviderDifference.Kind
# Any number that nothing else locks.
_LOCK: Final = 6_410_277_003


def lock_differences() -> None:
    """Let nobody else compare a file or accept a difference until the transaction ends."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(%s)", [_LOCK])


def add_accepted(
    source: ProviderImport, booked: Mapping[CallCell, BookedCalls]
) -> dict[CallCell, BookedCalls]:
    """Return calls and costs of a file's days together with what was accepted from other files."""
    found = dict(booked)
    rows = _accepted(source.provider).filter(day__range=(source.first_day, source.last_day))
    for row in rows.order_by("decided_at"):
        cell = (row.day, row.model)
        found[cell] = _with(row, found.get(cell, BookedCalls(0, 0, 0)))
    return found


def check_not_accepted_since(row: ProviderDifference, *, now: datetime) -> None:
    """Refuse a difference that was found before another of its day and model was accepted.

    Raises:
        DifferenceDecidedError: It was.
    """
    others = _accepted(row.source.provider).filter(day=row.day, model=row.model)
    if others.filter(decided_at__range=(row.source.imported_at, now)).exists():
        raise DifferenceDecidedError(
            "Another file's difference of this day and model was accepted since."
            " Withdraw this file and import it again."
        )


def _accepted(provider: str) -> QuerySet[ProviderDifference]:
    return ProviderDifference.objects.filter(
        source__provider=provider, status=ProviderDifference.Status.ACCEPTED
    ).select_related("source")


def _with(row: ProviderDifference, ours: BookedCalls) -> BookedCalls:
    """Return what the books say with a difference that was accepted: what the provider says."""
    micros = ours.micros + row.micros
    if row.kind == Kind.MISSING_THERE:
        return BookedCalls(0, 0, micros)
    if row.kind == Kind.MISSING_HERE:
        count = max(row.their_count, 1)
        return BookedCalls(count, count, micros)
    if row.kind not in {Kind.MORE, Kind.FEWER}:
        return replace(ours, micros=micros)
    if row.source.unit == ProviderImport.Unit.IMAGES:
        return replace(ours, images=row.their_count, micros=micros)
    return replace(ours, calls=row.their_count, micros=micros)
