"""Deciding about differences: accepted by two people and booked, or contested."""

from datetime import UTC, datetime, time
from uuid import UUID

from django.db import transaction

from billing.errors import DifferenceDecidedError, ReconciliationNotFoundError, SelfApprovalError
from billing.models import AccountCode, Direction, EntryKind, ProviderDifference
from billing.money import format_amount
from billing.services.accounts import PLATFORM_CURRENCY, account
from billing.services.ledger import post_entry
from billing.services.reconciliation.accepted import check_not_accepted_since, lock_differences
from billing.services.staff import require_finance
from billing.types import Line
from orgs.errors import InvalidInputError
from orgs.services.audit import Action, Actor, Target, record

Status = ProviderDifference.Status


def propose_acceptance(*, difference_id: UUID, reason: str, actor: Actor) -> None:
    """Ask for what a provider says to be booked; another person approves.

    Raises:
        PermissionDeniedError: The actor is not of finance.
        ReconciliationNotFoundError: There is no such difference.
        DifferenceDecidedError: It is decided, or proposed already.
        InvalidInputError: There is no reason.
    """
    _change(
        difference_id,
        (Status.OPEN, Status.CONTESTED),
        Status.PROPOSED,
        Action.DIFFERENCE_PROPOSED,
        reason=_reason(reason),
        actor=actor,
    )


def contest(*, difference_id: UUID, reason: str, actor: Actor) -> None:
    """Say that the provider is to correct it: nothing is booked, and the month may be closed.

    Raises:
        PermissionDeniedError: The actor is not of finance.
        ReconciliationNotFoundError: There is no such difference.
        DifferenceDecidedError: It is decided, or proposed.
        InvalidInputError: There is no reason.
    """
    _change(
        difference_id,
        (Status.OPEN,),
        Status.CONTESTED,
        Action.DIFFERENCE_CONTESTED,
        reason=_reason(reason),
        actor=actor,
    )


def reopen(*, difference_id: UUID, actor: Actor) -> None:
    """Take a proposal or a contest back, by whoever of finance.

    Raises:
        PermissionDeniedError: The actor is not of finance.
        ReconciliationNotFoundError: There is no such difference.
        DifferenceDecidedError: It is neither proposed nor contested.
    """
    _change(
        difference_id,
        (Status.PROPOSED, Status.CONTESTED),
        Status.OPEN,
        Action.DIFFERENCE_REOPENED,
        reason="",
        actor=actor,
    )


def approve_acceptance(*, difference_id: UUID, actor: Actor, now: datetime) -> None:
    """Accept what another person proposed, and book the true-up, effective on its day.

    Entry key: `true_up:<difference>`; debit `provider_cost`, credit `provider_payable`, or the
    other way round where the provider charged less. Of a closed month it takes effect in the open
    one. A difference of counts alone books nothing.

    Raises:
        PermissionDeniedError: The actor is not of finance.
        ReconciliationNotFoundError: There is no such difference.
        DifferenceDecidedError: Nobody proposed it, it is decided, or another of its day and model
            was accepted since its file was imported.
        SelfApprovalError: The actor proposed it.
    """
    require_finance(actor)
    with transaction.atomic():
        lock_differences()
        row = _locked(difference_id, (Status.PROPOSED,))
        if row.asked_by_id == actor.user_id:
            raise SelfApprovalError("Another person has to decide about what you asked for.")
        check_not_accepted_since(row, now=now)
        row.status, row.decided_by_id, row.decided_at = Status.ACCEPTED, actor.user_id, now
        row.save(update_fields=["status", "decided_by", "decided_at"])
        if row.micros:
            _book(row, now)
        _log(Action.DIFFERENCE_ACCEPTED, row, actor)


def _book(row: ProviderDifference, now: datetime) -> None:
    provider = row.source.provider
    cost = account(AccountCode.PROVIDER_COST, PLATFORM_CURRENCY)
    payable = account(AccountCode.PROVIDER_PAYABLE, PLATFORM_CURRENCY)
    debited, credited = (cost, payable) if row.micros > 0 else (payable, cost)
    post_entry(
        kind=EntryKind.TRUE_UP,
        idempotency_key=f"true_up:{row.id}",
        lines=[
            Line(debited, Direction.DEBIT, abs(row.micros), provider),
            Line(credited, Direction.CREDIT, abs(row.micros), provider),
        ],
        now=now,
        reference=str(row.id),
        effective_at=min(now, datetime.combine(row.day, time.max, UTC)),
        description=f"True-up of {provider} {row.model}, {row.day}"[:255],
    )


def _change(
    difference_id: UUID,
    expected: tuple[Status, ...],
    status: Status,
    action: Action,
    *,
    reason: str,
    actor: Actor,
) -> None:
    require_finance(actor)
    with transaction.atomic():
        row = _locked(difference_id, expected)
        row.status, row.reason, row.asked_by_id = status, reason, actor.user_id
        row.save(update_fields=["status", "reason", "asked_by"])
        _log(action, row, actor)


def _locked(difference_id: UUID, expected: tuple[Status, ...]) -> ProviderDifference:
    rows = ProviderDifference.objects.select_for_update(of=("self",)).select_related("source")
    row = rows.filter(id=difference_id).first()
    if row is None:
        raise ReconciliationNotFoundError("There is no such difference.")
    if row.status not in expected:
        raise DifferenceDecidedError(f"This difference is {row.status}.")
    return row


def _reason(text: str) -> str:
    reason = text.strip()[:500]
    if not reason:
        raise InvalidInputError("Say why.", param="reason")
    return reason


def _log(action: Action, row: ProviderDifference, actor: Actor) -> None:
    record(
        action=action,
        actor=actor,
        organization_id=None,
        target=Target("difference", row.id, f"{row.source.provider} {row.model} {row.day}"),
        after={
            "amount": f"{format_amount(row.micros, PLATFORM_CURRENCY)} {PLATFORM_CURRENCY}",
            "reason": row.reason,
        },
    )
