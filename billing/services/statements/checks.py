"""Checking that statements are whole, unchanged, and what the ledger still says."""

from collections.abc import Iterator
from typing import Any
from uuid import UUID

from billing.models import Account, Statement, StatementDraft
from billing.selectors.statements.ledger import AccountRange, read_range, read_usage
from billing.selectors.statements.sums import join_usage
from billing.services.statements.content import digest_of
from billing.services.statements.drafts import read_draft
from billing.types import Finding


def check_statements(*, organization_id: UUID | None) -> Iterator[Finding]:
    """Yield statements that were changed, are missing, or say other than their entries do."""
    statements = Statement.objects.order_by("organization_id", "number")
    if organization_id is not None:
        statements = statements.filter(organization_id=organization_id)
    last: Statement | None = None
    for statement in statements.iterator(chunk_size=50):
        if last is not None and last.organization_id != statement.organization_id:
            last = None
        for problem in _problems(statement, last):
            yield Finding("statement", "billing_statement", str(statement.id), problem)
        last = statement


def check_drafts(*, organization_id: UUID | None) -> Iterator[Finding]:
    """Yield drafts that say other than their entries do; they hold up to the running month's."""
    drafts = StatementDraft.objects.order_by("organization_id")
    if organization_id is not None:
        drafts = drafts.filter(organization_id=organization_id)
    for row in drafts.iterator(chunk_size=50):
        owner = row.organization_id
        draft = read_draft(organization_id=owner, number=row.number, currency=row.currency)
        found = [_reread(one) for one in draft.ranges]
        used = join_usage((), read_usage(found))
        if found != list(draft.ranges) or used != list(draft.usage):
            yield Finding(
                "statement_draft",
                "billing_statementdraft",
                str(owner),
                f"its entries up to number {row.to_seq} say something else",
            )


def _reread(said: AccountRange) -> AccountRange:
    account = Account.objects.get(id=said.account_id)
    return read_range(account=account, from_seq=said.from_seq, to_seq=said.to_seq)


def _problems(statement: Statement, last: Statement | None) -> Iterator[str]:
    content = statement.content
    if digest_of(content) != bytes(statement.digest):
        yield "was changed after it was issued"
    if statement.number != (1 if last is None else last.number + 1):
        yield f"number {statement.number} does not follow the one before"
    before = {} if last is None else {one["code"]: one for one in last.content["accounts"]}
    ranges = []
    for said in content["accounts"]:
        opening = before.get(said["code"], {"to_seq": 0, "closing": 0})
        if (said["from_seq"] - 1, said["opening"]) != (opening["to_seq"], opening["closing"]):
            yield f"its {said['code']} does not begin where the statement before ended"
        found = _read(statement, said)
        ranges.append(found)
        if _figures(said) != _booked(found):
            yield f"its {said['code']} says {_figures(said)}, its entries say {_booked(found)}"
    used = read_usage(ranges)
    sums = {
        "entries": (sum(one.images for one in used), sum(one.micros for one in used)),
        "lines": (
            sum(line["images"] for line in content["lines"]),
            sum(line["amount"] for line in content["lines"]),
        ),
    }
    if sums["entries"] != sums["lines"]:
        yield f"its lines sum to {sums['lines']} images and micros, its charges {sums['entries']}"


def _read(statement: Statement, said: dict[str, Any]) -> AccountRange:
    account = Account.objects.get(
        organization_id=statement.organization_id,
        code=said["code"],
        currency=statement.currency,
    )
    return read_range(account=account, from_seq=said["from_seq"], to_seq=said["to_seq"])


def _figures(said: dict[str, Any]) -> tuple[object, ...]:
    moves = tuple((move["kind"], move["amount"]) for move in said["movements"])
    return said["opening"], said["closing"], said["head"], moves


def _booked(found: AccountRange) -> tuple[object, ...]:
    moves = tuple((move.kind, move.micros) for move in found.movements)
    return found.opening_micros, found.closing_micros, found.head.hex(), moves
