"""The CSV files as rows with types."""

import csv
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from pathlib import Path

Row = dict[str, str]
ZERO = Decimal(0)
# Accounts that grow by debit: assets and expenses.
BY_DEBIT = frozenset(
    {
        "receivable", "cash", "payment_clearing", "fx_clearing", "provider_cost", "payment_fees",
        "promotions", "refunds", "disputes", "rounding",
    }
)  # fmt: skip


@dataclass(frozen=True)
class Posting:
    """One line of the journal. `amount` is positive if it makes its account grow."""

    effective_at: datetime
    booked_at: datetime
    entry: str
    kind: str
    key: str
    about: str
    account: str
    organization: str
    debit: Decimal
    credit: Decimal
    currency: str
    reference: str

    @property
    def amount(self) -> Decimal:
        grows = self.debit - self.credit
        return grows if self.account in BY_DEBIT else -grows


class Tables:
    """All files of a folder."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self.journal = [_posting(row) for row in self.rows("journal")]
        self.charges = {row["request"]: row for row in self.rows("charges")}
        self.images = {row["artifact"]: row for row in self.rows("images")}
        self.attempts = {row["attempt"]: row for row in self.rows("attempts")}

    def rows(self, name: str) -> Iterator[Row]:
        with (self._folder / f"{name}.csv").open(newline="") as file:
            yield from csv.DictReader(file)

    def entries(self) -> dict[str, list[Posting]]:
        found: dict[str, list[Posting]] = {}
        for posting in self.journal:
            found.setdefault(posting.entry, []).append(posting)
        return found

    def by_key(self) -> dict[str, list[Posting]]:
        return {postings[0].key: postings for postings in self.entries().values()}


def _posting(row: Row) -> Posting:
    return Posting(
        effective_at=datetime.fromisoformat(row["effective_at"]),
        booked_at=datetime.fromisoformat(row["booked_at"]),
        entry=row["entry"],
        kind=row["kind"],
        key=row["key"],
        about=row["entry_reference"],
        account=row["account"],
        organization=row["organization"],
        debit=Decimal(row["debit"] or 0),
        credit=Decimal(row["credit"] or 0),
        currency=row["currency"],
        reference=row["reference"],
    )
