"""Book what attempts cost us."""

from datetime import datetime
from decimal import Decimal

from django.db import transaction

from billing.errors import InvalidAmountError
from billing.models import AccountCode, Direction, EntryKind
from billing.money import round_half_up_micro
from billing.services.accounts import PLATFORM_CURRENCY, account, open_platform_accounts
from billing.services.ledger import post_entry
from billing.types import EntryView, Line


def post_attempt_cost(
    *,
    attempt_reference: str,
    provider: str,
    amount: Decimal,
    now: datetime,
    currency: str = PLATFORM_CURRENCY,
) -> EntryView | None:
    """Book the cost of one provider call, once; also when nothing was delivered.

    Entry key: `attempt:<attempt_reference>`. Both lines name the provider.

    Args:
        attempt_reference: Id of the attempt as text.
        provider: Whom it is owed to.
        amount: In currency units, rounded half up to a micro.
        now: Booking time.
        currency: What the provider bills in.

    Returns:
        The entry, or None for a cost of zero (such as a sandbox's), which has none.

    Raises:
        InvalidAmountError: The amount is negative.
        EntryConflictError: The attempt was booked at another amount before.
    """
    amount_micros = round_half_up_micro(amount)
    if amount_micros < 0:
        raise InvalidAmountError("A cost cannot be negative.")
    if amount_micros == 0:
        return None
    with transaction.atomic(savepoint=False):
        if currency != PLATFORM_CURRENCY:
            open_platform_accounts(currency=currency)
        return post_entry(
            kind=EntryKind.ATTEMPT_COST,
            idempotency_key=f"attempt:{attempt_reference}",
            lines=[
                Line(
                    account(AccountCode.PROVIDER_COST, currency),
                    Direction.DEBIT,
                    amount_micros,
                    provider,
                ),
                Line(
                    account(AccountCode.PROVIDER_PAYABLE, currency),
                    Direction.CREDIT,
                    amount_micros,
                    provider,
                ),
            ],
            now=now,
            reference=attempt_reference,
            description=f"Cost of an attempt at {provider}"[:255],
        )
