"""Find issued statements."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any
from uuid import UUID

from billing.models import Statement


@dataclass(frozen=True, slots=True)
class StatementSummary:
    """One statement of a list; amounts in micros of the wallet's currency."""

    number: int
    month: date
    currency: str
    opening_micros: int
    closing_micros: int
    entries: int
    issued_at: datetime


@dataclass(frozen=True, slots=True)
class StatementView:
    """A statement: what it says (`billing.services.statements.content`), and its SHA-256."""

    content: Mapping[str, Any]
    digest: str


def list_statements(*, organization_id: UUID) -> list[StatementSummary]:
    """Return an organization's statements, newest first. One query; twelve a year."""
    rows = Statement.objects.filter(organization_id=organization_id).defer("content")
    return [
        StatementSummary(
            number=row.number,
            month=row.month,
            currency=row.currency,
            opening_micros=row.opening_micros,
            closing_micros=row.closing_micros,
            entries=row.to_seq - row.from_seq + 1,
            issued_at=row.issued_at,
        )
        for row in rows.order_by("-number")
    ]


def find_statement(*, organization_id: UUID, number: int) -> StatementView | None:
    """Return an organization's statement of a number, if there is one."""
    row = Statement.objects.filter(organization_id=organization_id, number=number).first()
    if row is None:
        return None
    return StatementView(content=row.content, digest=bytes(row.digest).hex())
