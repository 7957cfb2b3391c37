"""Book what attempts cost us."""

from datetime import datetime
from decimal import Decimal
from typing import Any

from django.db import transaction

from billing.errors import InvalidAmountError
from billing.models import AccountCode, Direction, EntryKind
from billing.money import round_half_up_micro
from billing.services.accounts import PLATFORM_CURRENCY, account, open_platform_accounts
from billing.services.ledger import post_entry, prepare_entry
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
    if _cost_micros(amount) == 0:
        return None
    with transaction.atomic(savepoint=False):
        if currency != PLATFORM_CURRENCY:
            open_platform_accounts(currency=currency)
        return post_entry(**_entry(attempt_reference, provider, amount, now, currency))


def attempt_cost_params(
    *, attempt_reference: str, provider: str, amount: Decimal, now: datetime, prefix: str
) -> dict[str, Any] | None:
    """Return the parameters of `ledger.ENTRY_CTES` under a prefix, for a caller's own statement.

    It books what `post_attempt_cost` does, in USD, unless it was booked before; None for a cost of
    zero.

    Raises:
        InvalidAmountError: The amount is negative.
    """
    if _cost_micros(amount) == 0:
        return None
    prepared = prepare_entry(**_entry(attempt_reference, provider, amount, now, PLATFORM_CURRENCY))
    return {f"{prefix}{name}": value for name, value in prepared.params.items()}


def _cost_micros(amount: Decimal) -> int:
    amount_micros = round_half_up_micro(amount)
    if amount_micros < 0:
        raise InvalidAmountError("A cost cannot be negative.")
    return amount_micros


def _entry(
    attempt_reference: str, provider: str, amount: Decimal, now: datetime, currency: str
) -> dict[str, Any]:
    """Return the arguments of the entry."""
    amount_micros = _cost_micros(amount)
    cost = account(AccountCode.PROVIDER_COST, currency)
    payable = account(AccountCode.PROVIDER_PAYABLE, currency)
    return {
        "kind": EntryKind.ATTEMPT_COST,
        "idempotency_key": f"attempt:{attempt_reference}",
        "lines": [
            Line(cost, Direction.DEBIT, amount_micros, provider),
            Line(payable, Direction.CREDIT, amount_micros, provider),
        ],
        "now": now,
        "reference": attempt_reference,
        "description": f"Cost of an attempt at {provider}"[:255],
    }
