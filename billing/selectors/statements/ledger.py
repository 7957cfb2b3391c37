"""What ranges of an organization's entries say, summed up for a statement.

An account's entries have numbers without gaps, and a balance follows from the numbers up to it.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Final
from uuid import UUID

from django.db import connection
from django.db.backends.utils import CursorWrapper

from billing.models import DEBIT_KINDS, Account, AccountCode, Balance

CODES: Final = (AccountCode.WALLET, AccountCode.WALLET_PROMO, AccountCode.RECEIVABLE)

_BOOKED_AT: Final = """
SELECT entry.booked_at FROM billing_posting AS posting
JOIN billing_journalentry AS entry ON entry.id = posting.entry_id
WHERE posting.account_id = %s AND posting.chain_seq = %s LIMIT 1
"""
_MOVED: Final = """
SELECT entry.kind, count(DISTINCT entry.id),
    sum(CASE posting.direction WHEN %(grows)s THEN amount_micros ELSE -amount_micros END)::bigint
FROM billing_posting AS posting
JOIN billing_journalentry AS entry ON entry.id = posting.entry_id
WHERE posting.account_id = %(account_id)s
    AND posting.chain_seq BETWEEN %(from_seq)s AND %(to_seq)s
GROUP BY entry.kind ORDER BY entry.kind
"""
_HEAD: Final = """
SELECT chain_hash FROM billing_posting WHERE account_id = %s AND chain_seq = %s LIMIT 1
"""
# An image that two accounts paid for is one image.
_USED: Final = """
SELECT price.model_key, price.size, price.quality, hold.list_amount, hold.list_currency,
    hold.markup, hold.rate, hold.spread, coalesce(fx.source, ''), fx.as_of,
    count(DISTINCT posting.reference), sum(posting.amount_micros)::bigint
FROM unnest(%(account_ids)s::uuid[], %(from_seqs)s::bigint[], %(to_seqs)s::bigint[])
    AS own (account_id, from_seq, to_seq)
JOIN billing_posting AS posting ON posting.account_id = own.account_id
    AND posting.chain_seq BETWEEN own.from_seq AND own.to_seq
JOIN billing_journalentry AS entry ON entry.id = posting.entry_id AND entry.kind = 'capture'
JOIN billing_hold AS hold ON hold.reference = entry.reference
JOIN billing_priceversion AS price ON price.id = hold.price_version_id
LEFT JOIN billing_fxrate AS fx ON fx.id = hold.fx_rate_id
GROUP BY 1, 2, 3, 4, 5, 6, 7, 8, 9, 10
ORDER BY 1, 2, 3, 4, 5, 6, 10
"""


@dataclass(frozen=True, slots=True)
class Place:
    """After an entry of an account: its number, and the balance then."""

    seq: int
    balance_micros: int


BEGINNING: Final = Place(0, 0)


@dataclass(frozen=True, slots=True)
class Movement:
    """What entries of one kind did to an account; negative took from it."""

    kind: str
    entries: int
    micros: int


@dataclass(frozen=True, slots=True)
class AccountRange:
    """Some entries of an account, by their numbers, with the balances around them in micros."""

    code: str
    account_id: UUID
    from_seq: int
    to_seq: int
    head: bytes
    opening_micros: int
    movements: tuple[Movement, ...]

    @property
    def closing_micros(self) -> int:
        """Return the balance after the last of them."""
        return self.opening_micros + sum(one.micros for one in self.movements)


@dataclass(frozen=True, slots=True)
class Usage:
    """Images charged at the same terms. `micros` are of the wallet's currency.

    Attributes:
        list_amount: Of one image, in `list_currency`.
        markup: A fraction; `spread` too.
        rate: Units of the wallet's currency for one of the list's.
        rate_source: Empty without an exchange; then `rate_as_of` is None.
    """

    model: str
    size: str
    quality: str
    list_amount: Decimal
    list_currency: str
    markup: Decimal
    rate: Decimal
    spread: Decimal
    rate_source: str
    rate_as_of: datetime | None
    images: int
    micros: int


def read_ranges(
    *, organization_id: UUID, currency: str, after: Mapping[str, Place], before: datetime
) -> list[AccountRange]:
    """Return an organization's accounts with what was booked on them since the statement before.

    Args:
        organization_id: Whose accounts.
        currency: Of the accounts.
        after: Where the statement before ended, by account code.
        before: Entries booked before this instant are in. Numbers and instants may disagree by the
            milliseconds between an entry's instant and its booking; the number decides.
    """
    balances = Balance.objects.select_related("account").filter(
        account__organization_id=organization_id,
        account__currency=currency,
        account__code__in=CODES,
    )
    found = {balance.account.code: balance for balance in balances}
    return [
        _range(found[code], after=after.get(code, BEGINNING), before=before)
        for code in CODES
        if code in found
    ]


def read_range(
    *, account: Account, from_seq: int, to_seq: int, opening_micros: int | None = None
) -> AccountRange:
    """Return an account's entries from one number to another, both included.

    `opening_micros` is the balance before them, where it is known; else all before is summed up.
    """
    head = b""
    within: tuple[Movement, ...] = ()
    with connection.cursor() as cursor:
        if opening_micros is None:
            before = _movements(cursor, account, 1, from_seq - 1)
            opening_micros = sum(one.micros for one in before)
        if from_seq <= to_seq:
            within = _movements(cursor, account, from_seq, to_seq)
        if to_seq:
            cursor.execute(_HEAD, [account.id, to_seq])
            row = cursor.fetchone()
            head = bytes(row[0]) if row else b""
    return AccountRange(
        code=account.code,
        account_id=account.id,
        from_seq=from_seq,
        to_seq=to_seq,
        head=head,
        opening_micros=opening_micros,
        movements=within,
    )


def read_usage(ranges: Sequence[AccountRange]) -> list[Usage]:
    """Return the images charged within ranges, by the terms they were charged at. One statement."""
    with connection.cursor() as cursor:
        cursor.execute(
            _USED,
            {
                "account_ids": [one.account_id for one in ranges],
                "from_seqs": [one.from_seq for one in ranges],
                "to_seqs": [one.to_seq for one in ranges],
            },
        )
        return [Usage(*row) for row in cursor]


def _range(balance: Balance, *, after: Place, before: datetime) -> AccountRange:
    return read_range(
        account=balance.account,
        from_seq=after.seq + 1,
        to_seq=_last_seq(balance, after.seq, before),
        opening_micros=after.balance_micros,
    )


def _movements(
    cursor: CursorWrapper, account: Account, from_seq: int, to_seq: int
) -> tuple[Movement, ...]:
    params: dict[str, UUID | int | str] = {
        "account_id": account.id,
        "from_seq": from_seq,
        "to_seq": to_seq,
        "grows": "debit" if account.kind in DEBIT_KINDS else "credit",
    }
    cursor.execute(_MOVED, params)
    return tuple(Movement(*row) for row in cursor)


def _last_seq(balance: Balance, after: int, before: datetime) -> int:
    """Find the last number booked before an instant: halving, for numbers follow time."""
    low, high = after, balance.seq
    with connection.cursor() as cursor:
        # Mostly all of them are.
        middle = high
        while low < high:
            cursor.execute(_BOOKED_AT, [balance.account_id, middle])
            [booked_at] = cursor.fetchone()
            if booked_at < before:
                low = middle
            else:
                high = middle - 1
            middle = (low + high + 1) // 2
    return low
