"""Drafts of statements: the running month of large organizations, added up as it goes on."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any, Final
from uuid import UUID

from django.db import connection

from billing.models import StatementDraft
from billing.selectors.statements.ledger import (
    AccountRange,
    Movement,
    Place,
    Usage,
    read_ranges,
    read_usage,
)
from billing.selectors.statements.sums import join_ranges, join_usage

LEAST: Final = 1000
"""From so many entries on a draft is worth its row: fewer are added up in a few milliseconds."""
DRAFT_SETTLING_TIME: Final = timedelta(minutes=1)

_BEHIND: Final = """
SELECT account.organization_id
FROM billing_balance AS balance
JOIN billing_account AS account ON account.id = balance.account_id AND account.code = 'wallet'
LEFT JOIN LATERAL (
    SELECT number, to_seq FROM billing_statement
    WHERE organization_id = account.organization_id ORDER BY number DESC LIMIT 1
) AS last ON true
LEFT JOIN billing_statementdraft AS draft ON draft.organization_id = account.organization_id
    AND draft.number = coalesce(last.number, 0) + 1
WHERE balance.seq - greatest(draft.to_seq, last.to_seq, 0) >= %s
ORDER BY 1
"""


@dataclass(frozen=True, slots=True)
class Draft:
    """What the entries of some accounts say, up to a number each."""

    ranges: Sequence[AccountRange]
    usage: Sequence[Usage]

    @property
    def places(self) -> dict[str, Place]:
        """Return where they end, by account."""
        return {one.code: Place(one.to_seq, one.closing_micros) for one in self.ranges}


NOTHING: Final = Draft((), ())


def read_draft(*, organization_id: UUID, number: int, currency: str) -> Draft:
    """Return the draft of a statement; without one nothing is added up yet."""
    row = StatementDraft.objects.filter(
        organization_id=organization_id, number=number, currency=currency
    ).first()
    if row is None:
        return NOTHING
    return Draft([_range(one) for one in row.accounts], [_usage(one) for one in row.usage])


def go_on(
    draft: Draft,
    *,
    organization_id: UUID,
    currency: str,
    begins: Mapping[str, Place],
    before: datetime,
) -> Draft:
    """Return a draft with all that was booked since, up to an instant.

    Args:
        draft: What is added up already.
        organization_id: Whose accounts.
        currency: Of the accounts.
        begins: Where the statement before ended, by account.
        before: As of `read_ranges`.
    """
    later = read_ranges(
        organization_id=organization_id,
        currency=currency,
        after={**begins, **draft.places},
        before=before,
    )
    return Draft(join_ranges(draft.ranges, later), join_usage(draft.usage, read_usage(later)))


def keep_draft(
    draft: Draft, *, organization_id: UUID, number: int, currency: str, now: datetime
) -> None:
    """Write a draft in place of the one before."""
    StatementDraft.objects.update_or_create(
        organization_id=organization_id,
        defaults={
            "number": number,
            "currency": currency,
            "to_seq": max((one.to_seq for one in draft.ranges if one.code == "wallet"), default=0),
            "accounts": [_range_json(one) for one in draft.ranges],
            "usage": [_usage_json(one) for one in draft.usage],
            "made_at": now,
        },
    )


def forget_drafts() -> None:
    """Let all drafts be made anew."""
    StatementDraft.objects.all().delete()


def find_behind() -> list[UUID]:
    """Return the organizations of which much was booked since their draft or statement."""
    with connection.cursor() as cursor:
        cursor.execute(_BEHIND, [LEAST])
        return [row[0] for row in cursor.fetchall()]


def _range_json(one: AccountRange) -> dict[str, Any]:
    moves = [asdict(move) for move in one.movements]
    own = {"account_id": str(one.account_id), "head": one.head.hex(), "movements": moves}
    return {**{name: getattr(one, name) for name in _PLAIN}, **own}


_PLAIN: Final = ("code", "from_seq", "to_seq", "opening_micros")


def _range(said: Mapping[str, Any]) -> AccountRange:
    return AccountRange(
        **{name: said[name] for name in _PLAIN},
        account_id=UUID(said["account_id"]),
        head=bytes.fromhex(said["head"]),
        movements=tuple(Movement(**move) for move in said["movements"]),
    )


_DECIMALS: Final = ("list_amount", "markup", "rate", "spread")


def _usage_json(one: Usage) -> dict[str, Any]:
    texts = {name: f"{getattr(one, name):f}" for name in _DECIMALS}
    as_of = None if one.rate_as_of is None else one.rate_as_of.isoformat()
    return {**asdict(one), **texts, "rate_as_of": as_of}


def _usage(said: Mapping[str, Any]) -> Usage:
    as_of = said["rate_as_of"]
    return Usage(
        **{
            **said,
            **{name: Decimal(said[name]) for name in _DECIMALS},
            "rate_as_of": None if as_of is None else datetime.fromisoformat(as_of),
        }
    )
