"""Adjustments of wallets by hand, asked for by one person of finance and decided by another."""

from dataclasses import dataclass
from datetime import datetime
from typing import Final
from uuid import UUID

from django.db import transaction

from billing.errors import CurrencyMismatchError, InvalidAmountError, PaymentNotFoundError
from billing.models import AccountCode, Adjustment, Direction, EntryKind
from billing.money import MAX_AMOUNT_MICROS, format_amount
from billing.services.accounts import account, open_accounts
from billing.services.ledger import post_entry
from billing.services.refunds.decisions import approve, check_pending, read_reason, turn_down
from billing.services.staff import require_finance
from billing.services.transactions import retrying
from billing.types import Line
from orgs.errors import InvalidInputError, OrganizationNotFoundError
from orgs.models import lock_organization
from orgs.services.audit import Action, Actor, Target, record

ADJUSTMENT_KEY_PREFIX: Final = "adjustment:"


@dataclass(frozen=True, slots=True)
class WalletChange:
    """What is to be done to a wallet: `direction` is `credit` or `debit`."""

    direction: str
    amount_micros: int
    currency: str
    reason: str


def ask_adjustment(
    *, organization_id: UUID, change: WalletChange, actor: Actor, now: datetime
) -> Adjustment:
    """Ask for a wallet to be credited or debited. Nothing is until another person approves.

    Raises:
        PermissionDeniedError: The actor is not of finance.
        OrganizationNotFoundError: There is no such organization.
        InvalidAmountError: The amount is not positive.
        InvalidInputError: No reason is given, or no such direction.
        CurrencyMismatchError: The wallet is in another currency.
    """
    asked_by_id = require_finance(actor)
    reason = read_reason(change.reason)
    if change.direction not in Direction.values:
        raise InvalidInputError("Choose credit or debit.", param="direction")
    if not 0 < change.amount_micros <= MAX_AMOUNT_MICROS:
        raise InvalidAmountError("An adjustment must be more than zero.", param="amount")
    with transaction.atomic():
        organization = lock_organization(organization_id)
        if organization is None:
            raise OrganizationNotFoundError(f"There is no organization {organization_id}.")
        if change.currency != organization.currency:
            raise CurrencyMismatchError(
                f"The wallet is in {organization.currency}.", param="currency"
            )
        adjustment = Adjustment.objects.create(
            organization=organization,
            direction=change.direction,
            amount_micros=change.amount_micros,
            currency=organization.currency,
            reason=reason,
            requested_by_id=asked_by_id,
            created_at=now,
        )
        _log(Action.ADJUSTMENT_REQUESTED, adjustment, actor)
    return adjustment


def approve_adjustment(*, adjustment_id: UUID, actor: Actor, now: datetime) -> Adjustment:
    """Book what another person asked for, once, against `refunds`. One transaction.

    Entry key: `adjustment:<id>`.

    Raises:
        PermissionDeniedError: The actor is not of finance.
        PaymentNotFoundError: There is no such request.
        PaymentClosedError: It was decided already.
        SelfApprovalError: The actor asked for it.
        CurrencyMismatchError: The wallet's currency has changed.
        InsufficientBalanceError: Less is available than would be taken.
    """
    require_finance(actor)

    def work() -> Adjustment:
        with transaction.atomic():
            adjustment = _lock(adjustment_id)
            check_pending(adjustment)
            approve(adjustment, actor=actor, now=now)
            organization = lock_organization(adjustment.organization_id)
            if organization is None or organization.currency != adjustment.currency:
                raise CurrencyMismatchError("The wallet is in another currency by now.")
            open_accounts(organization_id=organization.id, currency=adjustment.currency)
            post_entry(
                kind=EntryKind.ADJUSTMENT,
                idempotency_key=f"{ADJUSTMENT_KEY_PREFIX}{adjustment.id}",
                lines=_lines(adjustment),
                now=now,
                reference=str(adjustment.id),
                description=adjustment.reason[:255],
            )
            _log(Action.ADJUSTMENT_APPROVED, adjustment, actor)
        return adjustment

    return retrying(work)


def decline_adjustment(
    *, adjustment_id: UUID, note: str, actor: Actor, now: datetime
) -> Adjustment:
    """Turn a request down; who asked may withdraw it.

    Raises:
        PermissionDeniedError: The actor is not of finance.
        PaymentNotFoundError: There is no such request.
        PaymentClosedError: It was decided already.
    """
    require_finance(actor)
    with transaction.atomic():
        adjustment = _lock(adjustment_id)
        check_pending(adjustment)
        turn_down(adjustment, note=note, actor=actor, now=now)
        _log(Action.ADJUSTMENT_DECLINED, adjustment, actor, status=adjustment.status)
    return adjustment


def _lock(adjustment_id: UUID) -> Adjustment:
    adjustment = Adjustment.objects.select_for_update().filter(id=adjustment_id).first()
    if adjustment is None:
        raise PaymentNotFoundError(f"There is no adjustment {adjustment_id}.")
    return adjustment


def _lines(adjustment: Adjustment) -> list[Line]:
    wallet = account(AccountCode.WALLET, adjustment.currency, adjustment.organization_id)
    other = account(AccountCode.REFUNDS, adjustment.currency)
    is_credit = adjustment.direction == Direction.CREDIT
    debited, credited = (other, wallet) if is_credit else (wallet, other)
    return [
        Line(debited, Direction.DEBIT, adjustment.amount_micros),
        Line(credited, Direction.CREDIT, adjustment.amount_micros),
    ]


def _log(action: Action, adjustment: Adjustment, actor: Actor, **fields: object) -> None:
    amount = f"{format_amount(adjustment.amount_micros, adjustment.currency)}"
    record(
        action=action,
        actor=actor,
        organization_id=adjustment.organization_id,
        target=Target("adjustment", adjustment.id, adjustment.direction),
        after={
            "amount": f"{amount} {adjustment.currency}",
            "direction": adjustment.direction,
            "reason": adjustment.reason,
            **fields,
        },
    )
