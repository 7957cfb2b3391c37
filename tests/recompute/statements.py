"""Statements: balances, movements, images and rates of each, from the journal alone."""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from decimal import Decimal

from tests.recompute.tables import ZERO, Posting, Row, Tables

OWN = ("wallet", "wallet_promo", "receivable")
Figures = dict[tuple[object, ...], tuple[int, Decimal]]


def check_statements(tables: Tables) -> Iterator[str]:
    """Each statement says what was booked since the one before, until its month ended."""
    own: dict[str, list[Posting]] = defaultdict(list)
    for posting in tables.journal:
        if posting.organization:
            own[posting.organization].append(posting)
    said: dict[tuple[str, int], list[Row]] = defaultdict(list)
    for row in tables.rows("statements"):
        said[row["organization"], int(row["number"])].append(row)
    before: dict[str, datetime] = {}
    for (organization, number), rows in sorted(said.items()):
        if (number == 1) != (organization not in before):
            yield f"statements: {organization} has no number {number - 1}"
        since = before.get(organization, datetime.min.replace(tzinfo=UTC))
        until = before[organization] = datetime.fromisoformat(rows[0]["ends_at"])
        due = dict(_due(tables, own[organization], since, until))
        name = f"statement {number} of {organization}"
        yield from _differences(name, {_key(row): _figures(row) for row in rows}, due)


def _due(
    tables: Tables, postings: Sequence[Posting], since: datetime, until: datetime
) -> Iterator[tuple[tuple[object, ...], tuple[int, Decimal]]]:
    within = [one for one in postings if since <= one.booked_at < until]
    for account in OWN:
        before = [one for one in postings if one.account == account and one.booked_at < since]
        opening = sum((one.amount for one in before), ZERO)
        moves: dict[str, list[Posting]] = defaultdict(list)
        for one in within:
            if one.account == account:
                moves[one.kind].append(one)
        if account != "wallet" and not opening and not moves:
            continue
        yield (account, "opening"), (0, opening)
        closing = opening
        for kind, found in moves.items():
            moved = sum((one.amount for one in found), ZERO)
            closing += moved
            yield (account, kind), (len({one.entry for one in found}), moved)
        yield (account, "closing"), (0, closing)
    yield from _usage(tables, [one for one in within if one.kind == "capture"]).items()


def _usage(tables: Tables, captured: Sequence[Posting]) -> Figures:
    images: dict[tuple[object, ...], set[str]] = defaultdict(set)
    amounts: dict[tuple[object, ...], Decimal] = defaultdict(Decimal)
    for one in captured:
        terms = tables.charges.get(one.about)
        if terms is None:
            continue
        list_price, markup = Decimal(terms["list_price"]), Decimal(terms["markup"])
        names = terms["model"], terms["size"], terms["quality"]
        keys: list[tuple[object, ...]] = [
            ("images", *names, list_price, terms["list_currency"], markup)
        ]
        if terms["list_currency"] != terms["currency"]:
            rate, spread = Decimal(terms["rate"]), Decimal(terms["spread"])
            as_of = datetime.fromisoformat(terms["rate_as_of"])
            keys.append(("rates", terms["list_currency"], rate, spread, as_of))
        for key in keys:
            images[key].add(one.reference)
            amounts[key] += one.debit - one.credit
    return {key: (len(images[key]), amounts[key]) for key in images}


def _key(row: Row) -> tuple[object, ...]:
    if row["section"] == "images":
        names = row["item"], row["size"], row["quality"]
        price, markup = Decimal(row["list_price"]), Decimal(row["markup"])
        return ("images", *names, price, row["list_currency"], markup)
    if row["section"] == "rates":
        as_of = datetime.fromisoformat(row["as_of"])
        return ("rates", row["item"], Decimal(row["rate"]), Decimal(row["spread"]), as_of)
    return row["section"], row["item"]


def _figures(row: Row) -> tuple[int, Decimal]:
    return int(row["count"]), Decimal(row["amount"])


def _differences(name: str, said: Figures, due: Figures) -> Iterator[str]:
    for key in sorted(said.keys() | due.keys(), key=str):
        if said.get(key) != due.get(key):
            what = " ".join(map(str, key))
            yield f"{name}: {what} is {_told(said.get(key))}, not {_told(due.get(key))}"


def _told(figures: tuple[int, Decimal] | None) -> str:
    return "missing" if figures is None else f"{figures[1]} ({figures[0]})"
