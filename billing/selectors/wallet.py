"""Read an organization's wallet as its owner sees it: transactions, each with the balance after it.

Each entry on a wallet has the next number of its chain, without gaps, so that a page is a range of
numbers. The balance after an entry never changes; a page hands it on to the next one.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import datetime
from decimal import Decimal
from typing import Final
from uuid import UUID

from django.db import connection
from django.db.models import F

from billing.models import AccountCode, Balance, EntryKind
from billing.money import format_amount
from billing.selectors.entries import entries_for, find_entry
from billing.selectors.terms import HoldTerms, find_terms
from billing.types import EntryDetail
from core.spreadsheets import csv_line

MAX_LIMIT: Final = 200
COLUMNS: Final = (
    "booked_at",
    "kind",
    "entry",
    "reference",
    "description",
    "lines",
    "amount",
    "balance_after",
    "currency",
)
_CODES: Final = [AccountCode.WALLET.value, AccountCode.WALLET_PROMO.value]
_COLUMNS: Final = """
SELECT posting.chain_seq, entry.id, entry.kind, entry.reference, entry.description,
    entry.booked_at, posting.currency,
    sum(CASE posting.direction WHEN 'credit' THEN amount_micros ELSE -amount_micros END)::bigint,
    count(*)
FROM billing_posting AS posting
JOIN billing_journalentry AS entry ON entry.id = posting.entry_id
"""
_GROUP: Final = "GROUP BY posting.chain_seq, posting.currency, entry.id"
_PAGE: Final = f"""{_COLUMNS}
WHERE posting.account_id = %(account_id)s AND chain_seq > %(after)s AND chain_seq <= %(seq)s
{_GROUP} ORDER BY chain_seq DESC
"""
_CREDITS: Final = f"""{_COLUMNS}
WHERE posting.account_id = %(account_id)s AND chain_seq IN (
    SELECT DISTINCT chain_seq FROM billing_posting
    WHERE account_id = %(account_id)s AND direction = 'credit' AND chain_seq <= %(seq)s
    ORDER BY chain_seq DESC LIMIT %(limit)s
)
{_GROUP} ORDER BY chain_seq DESC
"""  # noqa: S608 - made of constants
# An entry, and those before and after it.
_AROUND: Final = f"""
WITH own AS (
    SELECT posting.account_id, posting.chain_seq FROM billing_posting AS posting
    JOIN billing_account AS account ON account.id = posting.account_id
    WHERE posting.entry_id = %(entry_id)s AND account.organization_id = %(organization_id)s
        AND account.code = ANY(%(codes)s)
    ORDER BY account.code
    LIMIT 1
)
{_COLUMNS}
JOIN own ON posting.account_id = own.account_id
    AND posting.chain_seq BETWEEN own.chain_seq - 1 AND own.chain_seq + 1
{_GROUP} ORDER BY posting.chain_seq DESC
"""  # noqa: S608 - made of constants


@dataclass(frozen=True, slots=True)
class WalletPlace:
    """Where a page begins: the number of its first entry, and the balance after that one."""

    seq: int
    balance_micros: int


@dataclass(frozen=True, slots=True)
class Transaction:
    """One entry on a wallet. `amount_micros` is negative where the wallet paid.

    Attributes:
        lines: Its lines on the wallet; of a capture one for each image.
        balance_micros: What was in the wallet after it; None where only some entries are listed.
    """

    seq: int
    entry_id: UUID
    kind: str
    reference: str
    description: str
    booked_at: datetime
    currency: str
    amount_micros: int
    lines: int
    balance_micros: int | None = None


@dataclass(frozen=True, slots=True)
class TransactionPage:
    """Some transactions, newest first; `next_place` is None at the end."""

    transactions: tuple[Transaction, ...]
    next_place: WalletPlace | None


@dataclass(frozen=True, slots=True)
class Trail:
    """What one transaction is made of.

    Attributes:
        entries: Everything that was booked about the same generation, oldest first; of what is not
            about one, the entry alone.
        terms: What its hold was authorized at; None where there was no hold.
    """

    transaction: Transaction
    newer_id: UUID | None
    older_id: UUID | None
    entries: tuple[EntryDetail, ...]
    terms: HoldTerms | None


def list_transactions(
    *,
    organization_id: UUID,
    limit: int,
    place: WalletPlace | None = None,
    only_credits: bool = False,
    is_promo: bool = False,
) -> TransactionPage:
    """Return a page of a wallet's transactions, newest first. Two queries.

    Args:
        organization_id: Whose wallet.
        limit: Most to return, at most `MAX_LIMIT`.
        place: The `next_place` of the page before.
        only_credits: Only what was put into the wallet; then without the balance after each.
        is_promo: Those of promotional credit instead of the wallet's.
    """
    limit = max(1, min(limit, MAX_LIMIT))
    balance = Balance.objects.filter(
        account__organization_id=organization_id,
        account__code=AccountCode.WALLET_PROMO if is_promo else AccountCode.WALLET,
        account__currency=F("account__organization__currency"),
    ).first()
    if balance is None:
        return TransactionPage((), None)
    # What is booked from here on has a higher number.
    start = place or WalletPlace(balance.seq, balance.posted_micros)
    if only_credits:
        rows = _read(_CREDITS, account_id=balance.account_id, seq=start.seq, limit=limit + 1)
        more = WalletPlace(rows[limit].seq, 0) if len(rows) > limit else None
        return TransactionPage(tuple(rows[:limit]), more)
    after = start.seq - limit
    rows = _read(_PAGE, account_id=balance.account_id, seq=start.seq, after=after)
    shown = []
    left = start.balance_micros
    for row in rows:
        shown.append(replace(row, balance_micros=left))
        left -= row.amount_micros
    return TransactionPage(tuple(shown), WalletPlace(after, left) if after > 0 else None)


def export_transactions(
    *, organization_id: UUID, only_credits: bool = False, is_promo: bool = False
) -> Iterator[str]:
    """Yield a wallet's transactions as lines of CSV, heading first and newest first.

    Amounts are negative where the wallet paid; the balance after each is empty where only some
    transactions are listed. Every page gives its database connection back, so that a slow reader
    holds none.
    """
    yield csv_line(COLUMNS)
    place: WalletPlace | None = None
    while True:
        page = list_transactions(
            organization_id=organization_id,
            limit=MAX_LIMIT,
            place=place,
            only_credits=only_credits,
            is_promo=is_promo,
        )
        connection.close()
        for row in page.transactions:
            balance = row.balance_micros
            yield csv_line(
                (
                    row.booked_at.isoformat(),
                    row.kind,
                    str(row.entry_id),
                    row.reference,
                    row.description,
                    row.lines,
                    Decimal(format_amount(row.amount_micros, row.currency)),
                    None if balance is None else Decimal(format_amount(balance, row.currency)),
                    row.currency,
                )
            )
        place = page.next_place
        if place is None:
            return


def find_trail(*, organization_id: UUID, entry_id: UUID) -> Trail | None:
    """Return what a transaction of an organization's wallet, or credit, is made of. Four queries.

    One of both is shown as the wallet's.
    """
    around = _read(_AROUND, entry_id=entry_id, organization_id=organization_id, codes=_CODES)
    own = next((row for row in around if row.entry_id == entry_id), None)
    if own is None:
        return None
    beside = {row.seq - own.seq: row.entry_id for row in around}
    is_charge = own.kind in {EntryKind.CAPTURE, EntryKind.REVERSAL} and own.reference
    entries = entries_for(reference=own.reference) if is_charge else find_entry(entry_id=entry_id)
    return Trail(
        transaction=own,
        newer_id=beside.get(1),
        older_id=beside.get(-1),
        entries=tuple(entries),
        terms=find_terms(reference=own.reference) if is_charge else None,
    )


def _read(statement: str, **params: UUID | int | list[str]) -> list[Transaction]:
    with connection.cursor() as cursor:
        cursor.execute(statement, params)
        return [Transaction(*row) for row in cursor]
