"""Entries, the trial balance and the balances of organizations."""

from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from decimal import Decimal

from tests.recompute.tables import BY_DEBIT, ZERO, Posting, Tables


def check_entries(tables: Tables) -> Iterator[str]:
    """Every entry has two lines at least, and balances in every currency."""
    for entry, postings in tables.entries().items():
        sums: dict[str, Decimal] = defaultdict(Decimal)
        for posting in postings:
            sums[posting.currency] += posting.debit - posting.credit
        for currency, difference in sums.items():
            if difference:
                name = f"{entry} ({postings[0].key})"
                yield f"journal: entry {name} is off by {difference} {currency}"
        if len(postings) < 2:
            yield f"journal: entry {entry} ({postings[0].key}) has one line"


def check_trial_balance(tables: Tables) -> Iterator[str]:
    """The accounts moved what the journal says, and ended where that leads."""
    moved: dict[tuple[str, str], list[Decimal]] = defaultdict(lambda: [ZERO, ZERO])
    for posting in tables.journal:
        sums = moved[posting.account, posting.currency]
        sums[0] += posting.debit
        sums[1] += posting.credit
    totals: dict[str, Decimal] = defaultdict(Decimal)
    for row in tables.rows("trial_balance"):
        key = row["account"], row["currency"]
        debit, credit = moved.pop(key, [ZERO, ZERO])
        opening = Decimal(row["opening"])
        change = debit - credit if row["account"] in BY_DEBIT else credit - debit
        expected = {"debit": debit, "credit": credit, "closing": opening + change}
        for name, value in expected.items():
            if Decimal(row[name]) != value:
                yield f"trial balance: {name} of {' '.join(key)} is {row[name]}, not {value}"
        totals[row["currency"]] += Decimal(row["debit"]) - Decimal(row["credit"])
    for key in moved:
        yield f"trial balance: {' '.join(key)} is missing"
    for currency, difference in totals.items():
        if difference:
            yield f"trial balance: debits and credits in {currency} differ by {difference}"


def check_balances(tables: Tables) -> Iterator[str]:
    """Every organization's account holds the sum of its postings, and nothing is held at rest."""
    sums: dict[tuple[str, str, str], Decimal] = defaultdict(Decimal)
    for posting in tables.journal:
        if posting.organization:
            sums[posting.organization, posting.account, posting.currency] += posting.amount
    for row in tables.rows("balances"):
        key = row["organization"], row["account"], row["currency"]
        due = sums.pop(key, ZERO)
        if Decimal(row["posted"]) != due:
            yield f"balances: {' '.join(key)} is {row['posted']}, its postings sum to {due}"
        if Decimal(row["held"]):
            yield f"balances: {' '.join(key)} still holds {row['held']}"
        if due < 0:
            yield f"balances: {' '.join(key)} is overdrawn: {due}"
    for key in sums:
        yield f"balances: {' '.join(key)} is missing"


def check_credit_notes(tables: Tables) -> Iterator[str]:
    """A refunded image got its own charge mirrored, once; numbers have no gaps."""
    by_key = tables.by_key()
    refunds = {key for key in by_key if key.startswith("refund:")}
    numbers, seen = set(), set()
    for row in tables.rows("credit_notes"):
        numbers.add(int(row["number"]))
        artifact, key = row["artifact"], f"refund:{row['artifact']}"
        if artifact in seen:
            yield f"credit notes: image {artifact} is refunded twice"
        seen.add(artifact)
        refunds.discard(key)
        given = by_key.get(key, [])
        charged = [
            one for one in by_key.get(f"generation:{row['request']}", [])
            if one.reference == artifact
        ]  # fmt: skip
        if not given or _lines(given) != _lines(charged, is_mirrored=True):
            yield f"credit notes: {key} of note {row['number']} is not its charge mirrored"
        credited = sum((one.amount for one in given if one.organization), ZERO)
        if credited != Decimal(row["amount"]):
            yield f"credit notes: {key} says {row['amount']}, booked is {credited}"
    for key in refunds:
        yield f"credit notes: {key} has none"
    if numbers and numbers != set(range(min(numbers), max(numbers) + 1)):
        yield "credit notes: their numbers have gaps"


def _lines(postings: Sequence[Posting], *, is_mirrored: bool = False) -> Counter[object]:
    return Counter(
        (
            one.account,
            one.organization,
            one.currency,
            one.credit if is_mirrored else one.debit,
            one.debit if is_mirrored else one.credit,
        )
        for one in postings
    )
