"""Providers' files, where they differ, and what providers are owed and were paid."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any
from uuid import UUID

from django.db.models import Count, Q, QuerySet, Sum

from billing.models import (
    Payout,
    ProviderDifference,
    ProviderImport,
    ProviderLine,
    ProviderPayment,
    ProviderWaiver,
)

Status = ProviderDifference.Status
UNDECIDED = (Status.OPEN, Status.PROPOSED)


@dataclass(frozen=True, slots=True)
class FileView:
    """An imported file, and how many of its differences wait for a decision."""

    id: UUID
    provider: str
    file_name: str
    digest: str
    unit: str
    first_day: date
    last_day: date
    lines: int
    micros: int
    imported_by: str
    imported_at: datetime
    differences: int
    undecided: int


@dataclass(frozen=True, slots=True)
class DifferenceView:
    """A difference with its file."""

    row: ProviderDifference
    source: ProviderImport
    asked_by: str
    decided_by: str


def list_files(*, limit: int) -> list[FileView]:
    """Return imported files, the last one first. One query."""
    return [_view(row) for row in _files().order_by("-imported_at", "id")[:limit]]


def find_file(import_id: UUID) -> FileView | None:
    """Return one file, or None. One query."""
    row = _files().filter(id=import_id).first()
    return None if row is None else _view(row)


def list_differences(import_id: UUID, *, status: str = "") -> list[ProviderDifference]:
    """Return a file's differences, of one status or of all, in order of day and model."""
    rows = ProviderDifference.objects.filter(source_id=import_id)
    if status:
        rows = rows.filter(status=status)
    return list(rows.order_by("day", "model"))


def find_difference(difference_id: UUID) -> DifferenceView | None:
    """Return one difference, or None. One query."""
    rows = ProviderDifference.objects.select_related("source", "asked_by", "decided_by")
    row = rows.filter(id=difference_id).first()
    if row is None:
        return None
    people = [one.email if one else "" for one in (row.asked_by, row.decided_by)]
    return DifferenceView(row, row.source, *people)


def list_lines(
    *, import_id: UUID, day: date, models: Collection[str], limit: int
) -> list[ProviderLine]:
    """Return the lines of a file of a day and of models, in its order."""
    rows = ProviderLine.objects.filter(source_id=import_id, day=day, model__in=models)
    return list(rows.order_by("number")[:limit])


def models_of(*, import_id: UUID, day: date) -> list[str]:
    """Return what a file calls the models of a day."""
    rows = ProviderLine.objects.filter(source_id=import_id, day=day).order_by("model")
    return list(rows.values_list("model", flat=True).distinct())


def charged_elsewhere(upstream_ids: Collection[str], *, import_id: UUID) -> list[str]:
    """Return the names of other files that charge some of these calls."""
    rows = ProviderLine.objects.filter(upstream_id__in=upstream_ids).exclude(source_id=import_id)
    return list(rows.order_by("source__file_name").values_list("source__file_name", flat=True)
                .distinct()[:10])  # fmt: skip


def list_payments(*, limit: int) -> list[ProviderPayment]:
    """Return payments to providers, the last one first."""
    rows = ProviderPayment.objects.select_related("recorded_by")
    return list(rows.order_by("-paid_on", "-recorded_at")[:limit])


def sum_payments() -> dict[str, int]:
    """Return what was paid to each provider in all, in micros of USD."""
    rows = ProviderPayment.objects.values("provider").annotate(paid=Sum("micros"))
    return {row["provider"]: row["paid"] for row in rows}


def list_payouts(*, limit: int) -> list[Payout]:
    """Return payouts of payment providers, the last one first."""
    rows = Payout.objects.select_related("recorded_by")
    return list(rows.order_by("-arrived_on", "-recorded_at")[:limit])


def list_waivers() -> list[ProviderWaiver]:
    """Return the last waivers."""
    rows = ProviderWaiver.objects.select_related("waived_by")
    return list(rows.order_by("-month", "provider")[:100])


def _files() -> QuerySet[Any]:
    return ProviderImport.objects.select_related("imported_by").annotate(
        found=Count("differences"),
        undecided=Count("differences", filter=Q(differences__status__in=UNDECIDED)),
    )


def _view(row: ProviderImport) -> FileView:
    return FileView(
        row.id,
        row.provider,
        row.file_name,
        bytes(row.digest).hex(),
        row.unit,
        row.first_day,
        row.last_day,
        row.lines,
        row.micros,
        row.imported_by.email,
        row.imported_at,
        vars(row)["found"],
        vars(row)["undecided"],
    )
