"""Adding what two ranges of entries say, the later one directly after the other."""

from collections.abc import Iterable, Sequence
from dataclasses import replace

from billing.selectors.statements.ledger import AccountRange, Movement, Usage


def join_ranges(
    before: Sequence[AccountRange], later: Sequence[AccountRange]
) -> list[AccountRange]:
    """Return the accounts with both their ranges as one; an account may be in the later alone."""
    known = {one.code: one for one in before}
    return [_join(known[one.code], one) if one.code in known else one for one in later]


def join_usage(before: Iterable[Usage], later: Iterable[Usage]) -> list[Usage]:
    """Return the images of both by the terms they were charged at, in the order of `read_usage`."""
    sums: dict[Usage, Usage] = {}
    for one in (*before, *later):
        terms = replace(one, images=0, micros=0)
        known = sums.get(terms, terms)
        sums[terms] = replace(
            known, images=known.images + one.images, micros=known.micros + one.micros
        )
    return sorted(sums.values(), key=_order)


def _join(before: AccountRange, later: AccountRange) -> AccountRange:
    moves: dict[str, Movement] = {}
    for one in (*before.movements, *later.movements):
        known = moves.get(one.kind, Movement(one.kind, 0, 0))
        moves[one.kind] = replace(
            known, entries=known.entries + one.entries, micros=known.micros + one.micros
        )
    return replace(
        later,
        from_seq=before.from_seq,
        opening_micros=before.opening_micros,
        movements=tuple(moves[kind] for kind in sorted(moves)),
    )


def _order(one: Usage) -> tuple[object, ...]:
    instant = "" if one.rate_as_of is None else one.rate_as_of.isoformat()
    terms = (one.model, one.size, one.quality, one.list_amount, one.list_currency, one.markup)
    return (*terms, not instant, instant)
