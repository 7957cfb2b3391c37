"""Recording what was paid to image providers."""

from dataclasses import dataclass
from datetime import UTC, date, datetime, time

from django.db import IntegrityError, transaction

from billing.errors import InvalidAmountError, ReferenceUsedError
from billing.models import AccountCode, Direction, EntryKind, ProviderPayment
from billing.money import MAX_AMOUNT_MICROS, format_amount
from billing.services.accounts import PLATFORM_CURRENCY, account
from billing.services.ledger import post_entry
from billing.services.periods.days import check_day
from billing.services.staff import require_finance
from billing.types import Line
from orgs.errors import InvalidInputError
from orgs.services.audit import Action, Actor, Target, record


@dataclass(frozen=True, slots=True)
class Paid:
    """What the bank says: whom, how much, when, and what it calls the payment."""

    provider: str
    micros: int
    reference: str
    paid_on: date


def record_provider_payment(*, paid: Paid, actor: Actor, now: datetime) -> ProviderPayment:
    """Book a payment to a provider: debit `provider_payable`, credit `cash`, effective on its day.

    Entry key: `provider_payment:<id>`. One transaction.

    Raises:
        PermissionDeniedError: The actor is not of finance.
        InvalidAmountError: The amount is not positive.
        InvalidInputError: There is no reference, or the day cannot be.
        ReferenceUsedError: A payment of this reference to the provider is recorded already.
    """
    user_id = require_finance(actor)
    reference = " ".join(paid.reference.split())[:255]
    if not reference:
        raise InvalidInputError("Give the bank's reference.", param="bank_reference")
    if not 0 < paid.micros <= MAX_AMOUNT_MICROS:
        raise InvalidAmountError("A payment must be more than zero.", param="amount")
    check_day(paid.paid_on, param="paid_on", now=now)
    try:
        with transaction.atomic():
            row = ProviderPayment.objects.create(
                provider=paid.provider,
                micros=paid.micros,
                reference=reference,
                paid_on=paid.paid_on,
                recorded_by_id=user_id,
                recorded_at=now,
            )
            _book(row, now)
            amount = f"{format_amount(row.micros, PLATFORM_CURRENCY)} {PLATFORM_CURRENCY}"
            record(
                action=Action.PROVIDER_PAID,
                actor=actor,
                organization_id=None,
                target=Target("provider", row.provider, f"{row.provider} {reference}"),
                after={"amount": amount, "paid_on": row.paid_on},
            )
    except IntegrityError as error:
        if "billing_providerpayment_once" not in str(error):
            raise
        raise ReferenceUsedError(
            "A payment of this reference is recorded already.", param="bank_reference"
        ) from error
    return row


def _book(row: ProviderPayment, now: datetime) -> None:
    payable = account(AccountCode.PROVIDER_PAYABLE, PLATFORM_CURRENCY)
    cash = account(AccountCode.CASH, PLATFORM_CURRENCY)
    post_entry(
        kind=EntryKind.PROVIDER_PAYMENT,
        idempotency_key=f"provider_payment:{row.id}",
        lines=[
            Line(payable, Direction.DEBIT, row.micros, row.provider),
            Line(cash, Direction.CREDIT, row.micros, row.provider),
        ],
        now=now,
        reference=row.reference,
        effective_at=datetime.combine(row.paid_on, time.min, UTC),
        description=f"Payment to {row.provider}",
    )
