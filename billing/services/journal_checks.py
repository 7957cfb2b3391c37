"""Invariants of entries, chains and balances."""

from collections.abc import Iterator
from itertools import groupby
from operator import attrgetter
from typing import Final
from uuid import UUID

from django.db import connection
from django.db.models import Exists, OuterRef, QuerySet

from billing.digests import chain_head, entry_digest, posting_digest
from billing.models import Direction, JournalEntry, Posting
from billing.types import Finding

_PAGE: Final = 2000
_ENTRIES: Final = "billing_journalentry"
_POSTINGS: Final = "billing_posting"
_BALANCES: Final = "billing_balance"

_BALANCE_SUMS: Final = """
SELECT a.id, a.code, b.account_id IS NOT NULL, coalesce(b.posted_micros, 0),
    coalesce(b.held_micros, 0), coalesce(b.seq, 0), coalesce(p.posted, 0), coalesce(p.seq, 0),
    coalesce(h.held, 0)
FROM billing_account AS a
LEFT JOIN billing_balance AS b ON b.account_id = a.id
LEFT JOIN (
    SELECT p.account_id, max(p.chain_seq) AS seq, sum(
        CASE WHEN (p.direction = 'debit') = (a.kind IN ('asset', 'expense'))
            THEN p.amount_micros ELSE -p.amount_micros END
    ) AS posted
    FROM billing_posting AS p JOIN billing_account AS a ON a.id = p.account_id
    WHERE a.organization_id IS NOT NULL
        AND (%(organization_id)s::uuid IS NULL OR a.organization_id = %(organization_id)s)
    GROUP BY p.account_id
) AS p ON p.account_id = a.id
LEFT JOIN (
    SELECT account_id, sum(micros) AS held
    FROM (
        SELECT account_id, amount_micros - promo_micros AS micros
        FROM billing_hold WHERE status = 'authorized'
        UNION ALL
        SELECT g.account_id, part.amount_micros
        FROM billing_grantpart AS part JOIN billing_grant AS g ON g.id = part.grant_id
        JOIN billing_hold AS hold ON hold.id = part.hold_id AND hold.status = 'authorized'
    ) AS part
    GROUP BY account_id
) AS h ON h.account_id = a.id
WHERE a.organization_id IS NOT NULL
    AND (%(organization_id)s::uuid IS NULL OR a.organization_id = %(organization_id)s)
ORDER BY a.id
"""

_CHAINED: Final = """
SELECT a.id, coalesce(b.head, ''::bytea), coalesce(b.seq, 0)
FROM billing_account AS a LEFT JOIN billing_balance AS b ON b.account_id = a.id
WHERE a.organization_id IS NOT NULL
    AND (%(organization_id)s::uuid IS NULL OR a.organization_id = %(organization_id)s)
    AND (b.seq > 0 OR EXISTS (SELECT FROM billing_posting AS p WHERE p.account_id = a.id))
ORDER BY a.id
"""


def check_entries(*, organization_id: UUID | None) -> Iterator[Finding]:
    """Yield entries that are incomplete, unbalanced or changed, and changed postings."""
    entries: QuerySet[JournalEntry] = JournalEntry.objects.order_by("id")
    if organization_id is not None:
        own = Posting.objects.filter(entry=OuterRef("id"), account__organization_id=organization_id)
        entries = entries.filter(Exists(own))
    last: UUID | None = None
    while True:
        page = list((entries if last is None else entries.filter(id__gt=last))[:_PAGE])
        if not page:
            return
        last = page[-1].id
        postings = (
            Posting.objects.filter(entry_id__in=[entry.id for entry in page])
            .select_related("account")
            .order_by("entry_id", "line")
        )
        by_entry = {key: list(rows) for key, rows in groupby(postings, attrgetter("entry_id"))}
        for entry in page:
            yield from _check_entry(entry, by_entry.get(entry.id, []))


def check_chains(*, organization_id: UUID | None) -> Iterator[Finding]:
    """Yield breaks of the hash chains: missing, exchanged or rewritten entries."""
    with connection.cursor() as cursor:
        cursor.execute(_CHAINED, {"organization_id": organization_id})
        accounts = cursor.fetchall()
    for account_id, head, seq in accounts:
        yield from _check_chain(account_id, head=bytes(head), seq=seq)


def check_balances(*, organization_id: UUID | None) -> Iterator[Finding]:
    """Yield balances that differ from their postings and open holds."""
    with connection.cursor() as cursor:
        cursor.execute(_BALANCE_SUMS, {"organization_id": organization_id})
        rows = cursor.fetchall()
    for account_id, code, exists, posted, held, seq, sum_posted, last_seq, sum_held in rows:
        name = str(account_id)
        if not exists:
            yield Finding("balance_exists", _BALANCES, name, f"the {code} account has no balance")
        if posted != sum_posted:
            yield Finding(
                "balance_posted",
                _BALANCES,
                name,
                f"{code} says {posted} micros posted, its postings sum to {sum_posted}",
            )
        if held != sum_held:
            yield Finding(
                "balance_held",
                _BALANCES,
                name,
                f"{code} says {held} micros held, its open holds sum to {sum_held}",
            )
        if posted < held or held < 0:
            yield Finding(
                "balance_available",
                _BALANCES,
                name,
                f"{code} has {posted} micros posted and {held} held",
            )
        if seq != last_seq:
            yield Finding(
                "balance_seq",
                _BALANCES,
                name,
                f"{code} has booked {seq} entries, the last one found is number {last_seq}",
            )


def _check_entry(entry: JournalEntry, postings: list[Posting]) -> Iterator[Finding]:
    name = str(entry.id)
    if len(postings) != entry.lines:
        yield Finding(
            "entry_lines",
            _ENTRIES,
            name,
            f"{entry.idempotency_key} has {len(postings)} postings, not {entry.lines}",
        )
    sums: dict[str, int] = {}
    for posting in postings:
        sign = 1 if posting.direction == Direction.DEBIT else -1
        sums[posting.currency] = sums.get(posting.currency, 0) + sign * posting.amount_micros
        yield from _check_posting(posting)
    for currency, difference in sums.items():
        if difference:
            yield Finding(
                "entry_balanced",
                _ENTRIES,
                name,
                f"debits and credits of {entry.idempotency_key} differ by {difference} {currency}",
            )
    if entry_digest(entry, map(posting_digest, postings)) != bytes(entry.digest):
        yield Finding(
            "entry_digest",
            _ENTRIES,
            name,
            f"{entry.idempotency_key} or one of its postings was changed after booking",
        )


def _check_posting(posting: Posting) -> Iterator[Finding]:
    name = str(posting.id)
    if posting_digest(posting) != bytes(posting.digest):
        yield Finding(
            "posting_digest",
            _POSTINGS,
            name,
            f"line {posting.line} of entry {posting.entry_id} was changed after booking",
        )
    if posting.currency != posting.account.currency:
        yield Finding(
            "posting_currency",
            _POSTINGS,
            name,
            f"{posting.currency} is posted to an account in {posting.account.currency}",
        )
    if (posting.chain_seq is None) != (posting.account.organization_id is None):
        yield Finding(
            "posting_chain",
            _POSTINGS,
            name,
            f"line {posting.line} of entry {posting.entry_id} is not chained as its account is",
        )


def _check_chain(account_id: UUID, *, head: bytes, seq: int) -> Iterator[Finding]:
    """Walk one account's chain in ranges of sequence numbers."""
    rows = Posting.objects.filter(account_id=account_id).order_by("chain_seq", "id")
    last_seq = rows.filter(chain_seq__isnull=False).values_list("chain_seq", flat=True).last() or 0
    expected_head, expected_seq = b"", 0
    for start in range(1, last_seq + 1, _PAGE):
        links = rows.filter(chain_seq__gte=start, chain_seq__lt=start + _PAGE).values_list(
            "chain_seq", "id", "entry_id", "chain_hash", "entry__digest"
        )
        for number, group in groupby(links, key=lambda link: link[0]):
            postings = list(group)
            _, posting_id, entry_id, _, digest = postings[0]
            if number != expected_seq + 1:
                yield Finding(
                    "chain_gap",
                    _POSTINGS,
                    str(posting_id),
                    f"account {account_id} has entry number {number} right after {expected_seq}",
                )
            expected_seq = number
            expected_head = chain_head(expected_head, bytes(digest))
            for _, row_id, row_entry, chain_hash, _ in postings:
                if row_entry != entry_id or bytes(chain_hash or b"") != expected_head:
                    yield Finding(
                        "chain_hash",
                        _POSTINGS,
                        str(row_id),
                        f"number {number} of account {account_id} (entry {row_entry}) does not"
                        " follow from the entries before it",
                    )
                    # One finding for each break: what follows is compared with the stored hash.
                    expected_head = bytes(chain_hash or b"")
    if expected_head != head or expected_seq != seq:
        yield Finding(
            "balance_head",
            _BALANCES,
            str(account_id),
            f"ends at entry number {seq}, the chain found ends at {expected_seq}"
            + ("" if expected_seq != seq else " with another hash"),
        )
