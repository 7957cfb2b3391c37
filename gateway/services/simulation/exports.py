"""A month's books as CSV files, for somebody else to compute anew."""

from collections.abc import Collection, Iterable, Sequence
from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path
from typing import Final
from uuid import UUID

from billing.services.simulation import tables
from core.spreadsheets import csv_line
from gateway.models import Artifact, Attempt
from gateway.selectors.reports.margin import MarginScope, list_margins
from gateway.services.simulation.world import MODELS, following

IMAGES: Final = ("artifact", "request", "organization", "model", "provider")
ATTEMPTS: Final = ("attempt", "request", "organization", "model", "provider", "status", "cost")
MARGIN: Final = ("by", "name", "currency", "images", "revenue", "spread", "cost", "margin")
GROUPS: Final = ("day", "model", "provider", "organization", "currency")


def write_tables(folder: Path, *, month: date, organizations: Collection[UUID]) -> None:
    """Write every table of a month, of the platform or of organizations."""
    last = following(month) - timedelta(days=1)
    begins, ends = (datetime.combine(day, time.min, UTC) for day in (month, following(month)))
    models = [model.key for model in MODELS]
    _write(folder, "journal", tables.JOURNAL, tables.journal_rows(month, last))
    _write(folder, "trial_balance", tables.TRIAL_BALANCE, tables.trial_balance_rows(month, last))
    _write(folder, "statements", tables.STATEMENTS, tables.statement_rows(organizations))
    _write(folder, "balances", tables.BALANCES, tables.balance_rows(organizations))
    _write(folder, "charges", tables.CHARGES, tables.charge_rows(organizations))
    _write(folder, "credit_notes", tables.CREDIT_NOTES, tables.credit_note_rows(organizations))
    _write(folder, "prices", tables.PRICES, tables.price_rows(models))
    _write(folder, "rates", tables.RATES, tables.rate_rows(begins, ends))
    _write(folder, "images", IMAGES, _images(organizations))
    _write(folder, "attempts", ATTEMPTS, _attempts(organizations))
    _write(folder, "margin", MARGIN, _margin(MarginScope(month, last)))


def _write(
    folder: Path, name: str, columns: Sequence[str], rows: Iterable[Sequence[object]]
) -> None:
    with (folder / f"{name}.csv").open("w", newline="") as file:
        file.write(csv_line(columns))
        file.writelines(csv_line(row) for row in rows)


def _images(organizations: Collection[UUID]) -> tables.Rows:
    """Yield the delivered images, each with the provider that made it."""
    made = {
        attempt.generation_id: attempt.provider
        for attempt in Attempt.objects.filter(
            generation__organization_id__in=organizations, status=Attempt.Status.SUCCEEDED
        )
    }
    artifacts = Artifact.objects.filter(
        generation__organization_id__in=organizations
    ).select_related("generation")
    for row in artifacts.order_by("created_at", "id"):
        generation = row.generation
        yield (
            row.id, generation.id, generation.organization_id, generation.model,
            made[generation.id],
        )  # fmt: skip


def _attempts(organizations: Collection[UUID]) -> tables.Rows:
    rows = Attempt.objects.filter(generation__organization_id__in=organizations).select_related(
        "generation"
    )
    for row in rows.order_by("started_at", "id"):
        generation = row.generation
        yield (
            row.id, generation.id, generation.organization_id, generation.model, row.provider,
            row.status, tables.amount(row.cost_micros),
        )  # fmt: skip


def _margin(scope: MarginScope) -> tables.Rows:
    for by in GROUPS:
        for row in list_margins(scope, by=by):
            figures = (row.revenue, row.spread, row.cost, row.margin)
            yield by, row.name, row.currency, row.images, *map(tables.amount, figures)
