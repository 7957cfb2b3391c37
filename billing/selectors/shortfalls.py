"""Say why an authorization was refused."""

from datetime import date
from uuid import UUID

from billing.errors import BudgetExceededError, InsufficientBalanceError
from billing.models import Balance, BudgetPeriod
from billing.money import format_amount


def budget_shortfall(
    *, budget_id: int, owner: str, period: date, needed_micros: int, currency: str
) -> BudgetExceededError:
    """Return the error for a budget that does not cover an amount.

    Args:
        budget_id: Which budget.
        owner: What to call its owner, such as `API key`.
        period: First day of the month.
        needed_micros: What was asked for.
        currency: The wallet's.
    """
    row = (
        BudgetPeriod.objects.filter(budget_id=budget_id, period=period)
        .values_list("budget__limit_micros", "held_micros", "captured_micros")
        .first()
    )
    limit, used = (row[0], row[1] + row[2]) if row else (None, 0)
    left = "" if limit is None else f" and {_money(max(limit - used, 0), currency)} of it is left"
    return BudgetExceededError(
        f"The monthly budget of this {owner} does not cover this request:"
        f" {_money(needed_micros, currency)} is needed{left}."
        " Raise the budget or wait for the next month."
    )


def balance_shortfall(
    *, account_id: UUID, promo_micros: int, needed_micros: int, currency: str
) -> InsufficientBalanceError:
    """Return the error for an amount that a wallet, and promotional credit, do not cover."""
    row = (
        Balance.objects.filter(account_id=account_id)
        .values_list("posted_micros", "held_micros")
        .first()
    )
    available = promo_micros + (row[0] - row[1] if row else 0)
    return InsufficientBalanceError(
        f"Insufficient balance: this request needs {_money(needed_micros, currency)} and"
        f" {_money(available, currency)} is available. Top up the organization's wallet and"
        " send the request again."
    )


def _money(micros: int, currency: str) -> str:
    return f"{currency} {format_amount(micros, currency)}"
