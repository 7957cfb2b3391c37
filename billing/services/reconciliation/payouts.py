"""Booking what a payment provider paid out to the bank."""

from dataclasses import dataclass
from datetime import date, datetime

from django.db import IntegrityError, transaction

from billing.errors import InvalidAmountError, ReferenceUsedError
from billing.models import AccountCode, Direction, EntryKind, Payout
from billing.money import MAX_AMOUNT_MICROS, check_currency, format_amount
from billing.selectors.periods.months import begin_of_day
from billing.services.accounts import account, open_platform_accounts
from billing.services.ledger import post_entry
from billing.services.periods.days import check_day
from billing.services.staff import require_finance
from billing.types import Line
from orgs.errors import InvalidInputError
from orgs.services.audit import Action, Actor, Target, record


@dataclass(frozen=True, slots=True)
class PaidOut:
    """A payout: what left our balance there (`gross`), what was kept of it, and when it arrived."""

    reference: str
    currency: str
    gross_micros: int
    fee_micros: int
    arrived_on: date


def record_payout(*, paid: PaidOut, actor: Actor, now: datetime) -> Payout:
    """Book a payout: debit `cash` and `payment_fees`, credit `payment_clearing`; logged.

    Entry key: `payout:<reference>`; effective on the day it arrived. One transaction.

    Raises:
        PermissionDeniedError: The actor is not of finance.
        InvalidAmountError: Nothing would arrive, or the fee is negative.
        InvalidInputError: There is no reference, or the day cannot be.
        UnknownCurrencyError: The currency is not ISO 4217.
        ReferenceUsedError: This payout is booked already.
    """
    user_id = require_finance(actor)
    check_currency(paid.currency)
    reference = paid.reference.strip()[:200]
    if not reference:
        raise InvalidInputError("Give the payout's id.", param="payout_reference")
    if not 0 <= paid.fee_micros < paid.gross_micros <= MAX_AMOUNT_MICROS:
        raise InvalidAmountError("A payout is more than its fee.", param="gross")
    check_day(paid.arrived_on, param="arrived_on", now=now)
    try:
        with transaction.atomic():
            row = Payout.objects.create(
                reference=reference,
                currency=paid.currency,
                gross_micros=paid.gross_micros,
                fee_micros=paid.fee_micros,
                arrived_on=paid.arrived_on,
                recorded_by_id=user_id,
                recorded_at=now,
            )
            _book(row, now)
            record(
                action=Action.PAYOUT_BOOKED,
                actor=actor,
                organization_id=None,
                target=Target("payout", reference[:64], reference),
                after={
                    "amount": f"{format_amount(row.gross_micros, row.currency)} {row.currency}",
                    "fee": f"{format_amount(row.fee_micros, row.currency)} {row.currency}",
                },
            )
    except IntegrityError as error:
        if "billing_payout_pkey" not in str(error):
            raise
        raise ReferenceUsedError(
            "This payout is booked already.", param="payout_reference"
        ) from error
    return row


def _book(row: Payout, now: datetime) -> None:
    open_platform_accounts(currency=row.currency)
    sides = (
        (AccountCode.CASH, Direction.DEBIT, row.gross_micros - row.fee_micros),
        (AccountCode.PAYMENT_FEES, Direction.DEBIT, row.fee_micros),
        (AccountCode.PAYMENT_CLEARING, Direction.CREDIT, row.gross_micros),
    )
    post_entry(
        kind=EntryKind.PAYOUT,
        idempotency_key=f"payout:{row.reference}",
        lines=[
            Line(account(code, row.currency), side, micros, row.reference)
            for code, side, micros in sides
            if micros
        ],
        now=now,
        reference=row.reference,
        effective_at=begin_of_day(row.arrived_on),
        description="Payout of the payment provider",
    )
