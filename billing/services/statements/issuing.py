"""Issue statements: one for each month of an organization, once, numbered without gaps."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from typing import Any, Final
from uuid import UUID
from zoneinfo import ZoneInfo

from django.db import transaction

from billing.models import AccountCode, Balance, Posting, Statement
from billing.selectors.statements.ledger import AccountRange, Place
from billing.services.statements.content import digest_of, make_content
from billing.services.statements.drafts import (
    DRAFT_SETTLING_TIME,
    NOTHING,
    Draft,
    find_behind,
    go_on,
    keep_draft,
    read_draft,
)
from orgs.models import Organization, lock_organization

SETTLING_TIME: Final = timedelta(hours=1)
"""How long after a month's end its statement waits for entries that are being booked."""
_FIRST: Final = (AccountCode.WALLET, AccountCode.WALLET_PROMO)


@dataclass(frozen=True, slots=True)
class _Month:
    first: date
    starts_at: datetime
    ends_at: datetime


def issue_due_statements(*, now: datetime, organization_id: UUID | None = None) -> int:
    """Issue every statement that is due, of one organization or of all; return how many.

    Due is each whole month since an organization's first entry, in its time zone, an hour after its
    end. A transaction for each, which locks the organization's row.
    """
    issued = 0
    for owner in _owners(organization_id):
        while _issue_next(owner, now=now):
            issued += 1
    return issued


def preview_statement(
    *, organization: Organization, now: datetime, has_statements: bool = True
) -> dict[str, Any] | None:
    """Return what the next statement would say by now; None before the first entry.

    It has no number, and nothing is written. Of a large organization a draft has most of it. Who
    knows that no statement is out yet saves the query for the last.
    """
    last = _last_statement(organization.id) if has_statements else None
    month = _next_month(organization, last)
    if month is None:
        return None
    draft = _draft(organization, last)
    return _content(organization, last, month, ends_at=min(now, month.ends_at), draft=draft)[0]


def advance_drafts(*, now: datetime) -> int:
    """Add up the running month of organizations of which much was booked; return how many."""
    behind = find_behind()
    for organization in Organization.objects.filter(id__in=behind):
        last = _last_statement(organization.id)
        month = _next_month(organization, last)
        if month is None:
            continue
        draft = go_on(
            _draft(organization, last),
            organization_id=organization.id,
            currency=organization.currency,
            begins={} if last is None else _places(last),
            before=min(now - DRAFT_SETTLING_TIME, month.ends_at),
        )
        keep_draft(
            draft,
            organization_id=organization.id,
            number=_number(last),
            currency=organization.currency,
            now=now,
        )
    return len(behind)


def _draft(organization: Organization, last: Statement | None) -> Draft:
    return read_draft(
        organization_id=organization.id, number=_number(last), currency=organization.currency
    )


def _number(last: Statement | None) -> int:
    """Return the number of the statement after another."""
    return 1 if last is None else last.number + 1


def _owners(organization_id: UUID | None) -> Iterator[UUID]:
    balances = Balance.objects.filter(account__code__in=_FIRST, seq__gt=0)
    if organization_id is not None:
        balances = balances.filter(account__organization_id=organization_id)
    owners = balances.order_by("account__organization_id")
    yield from owners.values_list("account__organization_id", flat=True).distinct()


def _issue_next(organization_id: UUID, *, now: datetime) -> bool:
    with transaction.atomic():
        organization = lock_organization(organization_id)
        assert organization is not None  # noqa: S101 - accounts keep their organization (PROTECT)
        last = _last_statement(organization_id)
        month = _next_month(organization, last)
        if month is None or month.ends_at + SETTLING_TIME > now:
            return False
        content, ranges = _content(organization, last, month, ends_at=month.ends_at)
        number = _number(last)
        content |= {"number": number, "month": f"{month.first:%Y-%m}", "issued_at": now.isoformat()}
        wallet = ranges[0]
        Statement.objects.create(
            organization=organization,
            number=number,
            month=month.first,
            currency=organization.currency,
            starts_at=month.starts_at,
            ends_at=month.ends_at,
            from_seq=wallet.from_seq,
            to_seq=wallet.to_seq,
            head=wallet.head,
            opening_micros=wallet.opening_micros,
            closing_micros=wallet.closing_micros,
            content=content,
            digest=digest_of(content),
            issued_at=now,
        )
    return True


def _content(
    organization: Organization,
    last: Statement | None,
    month: _Month,
    *,
    ends_at: datetime,
    draft: Draft = NOTHING,
) -> tuple[dict[str, Any], list[AccountRange]]:
    whole = go_on(
        draft,
        organization_id=organization.id,
        currency=organization.currency,
        begins={} if last is None else _places(last),
        before=ends_at,
    )
    content = make_content(
        organization=organization,
        ranges=whole.ranges,
        usage=whole.usage,
        starts_at=month.starts_at,
        ends_at=ends_at,
    )
    return content, list(whole.ranges)


def _places(last: Statement) -> dict[str, Place]:
    return {one["code"]: Place(one["to_seq"], one["closing"]) for one in last.content["accounts"]}


def _last_statement(organization_id: UUID) -> Statement | None:
    return Statement.objects.filter(organization_id=organization_id).order_by("-number").first()


def _next_month(organization: Organization, last: Statement | None) -> _Month | None:
    zone = ZoneInfo(organization.time_zone)
    if last is not None:
        first = _following(last.month)
        # An organization that moved has neither a gap nor an overlap between two months.
        return _Month(first, last.ends_at, _begin(_following(first), zone))
    booked_at = (
        Posting.objects.filter(
            account__organization_id=organization.id,
            account__code__in=_FIRST,
            chain_seq=1,
        )
        .order_by("entry__booked_at")
        .values_list("entry__booked_at", flat=True)
        .first()
    )
    if booked_at is None:
        return None
    first = booked_at.astimezone(zone).date().replace(day=1)
    return _Month(first, _begin(first, zone), _begin(_following(first), zone))


def _following(month: date) -> date:
    return (month + timedelta(days=31)).replace(day=1)


def _begin(month: date, zone: ZoneInfo) -> datetime:
    return datetime.combine(month, time.min, zone).astimezone(UTC)
