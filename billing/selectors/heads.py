"""Where the chains of the ledger end, as one value that two copies can be compared by."""

from dataclasses import dataclass

from django.db import connection

# In the order of accounts: number and head of each chain.
_HEADS = """
SELECT (SELECT count(*) FROM billing_journalentry), count(*),
    encode(sha256(coalesce(string_agg(
        uuid_send(account_id) || int8send(seq) || head, ''::bytea ORDER BY account_id
    ), ''::bytea)), 'hex'),
    coalesce(sum(posted_micros), 0)::text, coalesce(sum(held_micros), 0)::text
FROM billing_balance
"""


@dataclass(frozen=True, slots=True)
class LedgerHeads:
    """The whole journal in a few values.

    Attributes:
        entries: How many there are.
        chains: How many balances have a chain of postings.
        sha256: Digest over the number and head of every chain, in hex; a head covers all before.
        posted_micros: Sum of what balances have posted, of all currencies together.
        held_micros: Sum of what they hold.
    """

    entries: int
    chains: int
    sha256: str
    posted_micros: str
    held_micros: str


def read_ledger_heads() -> LedgerHeads:
    """Return where the chains end. One query; reads every balance."""
    with connection.cursor() as cursor:
        cursor.execute(_HEADS)
        row = cursor.fetchone()
    assert row is not None  # noqa: S101 - an aggregate has one row
    return LedgerHeads(*row)
