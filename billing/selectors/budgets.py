"""Read monthly budgets, with what the month has seen of each."""

from dataclasses import dataclass
from datetime import date, datetime
from typing import Final
from uuid import UUID
from zoneinfo import ZoneInfo

from django.db.models import FilteredRelation, Q, Subquery

from billing.models import BalanceAlert, Budget, BudgetAlert, BudgetPeriod
from billing.selectors.balances import get_balance
from billing.types import BalanceView

FULL: Final = 100
NEAR: Final = 80
LOW_DAYS: Final = 3


@dataclass(frozen=True, slots=True)
class BudgetView:
    """One budget in one month. Amounts are micros of the organization's currency.

    Attributes:
        api_key_id: None is the organization's own.
        limit_micros: None is no limit.
        captured_micros: Charged in generations that the month authorized.
        held_micros: Set aside for those that run.
        told: The shares of the limit, in percent, that were told of in this month.
    """

    api_key_id: UUID | None
    limit_micros: int | None
    captured_micros: int = 0
    held_micros: int = 0
    told: tuple[int, ...] = ()

    @property
    def used_micros(self) -> int:
        """Return what counts against the limit."""
        return self.captured_micros + self.held_micros

    @property
    def left_micros(self) -> int | None:
        """Return what may still be authorized; None without a limit."""
        return None if self.limit_micros is None else max(self.limit_micros - self.used_micros, 0)

    @property
    def percent(self) -> int | None:
        """Return the used share in whole percent, rounded down; more than 100 after a cut."""
        if self.limit_micros is None:
            return None
        return self.used_micros * FULL // self.limit_micros if self.limit_micros else FULL

    @property
    def share(self) -> str:
        """Return `percent` as it is written."""
        return f"{self.percent or 0}\u00a0%"

    @property
    def bar(self) -> int:
        """Return how much of a bar is filled, in percent."""
        return min(self.percent or 0, FULL)

    @property
    def told_shares(self) -> str:
        """Return `told` as it is written."""
        return ", ".join(f"{percent}\u00a0%" for percent in self.told)

    @property
    def is_spent(self) -> bool:
        """Say whether nothing is left."""
        return self.left_micros == 0

    @property
    def is_near(self) -> bool:
        """Say whether most of it is used."""
        return (self.percent or 0) >= NEAR


@dataclass(frozen=True, slots=True)
class Budgets:
    """All budgets of an organization in one month: its own, and those of its keys that have one."""

    month: date
    own: BudgetView
    keys: dict[UUID, BudgetView]

    def of_key(self, api_key_id: UUID) -> BudgetView:
        """Return a key's; one that has never spent is without limit."""
        return self.keys.get(api_key_id, BudgetView(api_key_id, None))


@dataclass(frozen=True, slots=True)
class WalletStatus:
    """The balance beside the organization's budget of the month.

    Attributes:
        ends_soon: Whether it would not last `LOW_DAYS` at the month's pace.
        alert_micros: The line below which it is low; None where none is set.
    """

    balance: BalanceView
    budget: BudgetView
    month: date
    ends_soon: bool
    alert_micros: int | None = None

    @property
    def is_below_alert(self) -> bool:
        """Say whether the balance is below the line."""
        return self.alert_micros is not None and self.balance.available_micros < self.alert_micros

    @property
    def is_low(self) -> bool:
        """Say whether it is time to add money."""
        return self.ends_soon or self.is_below_alert


def month_of(instant: datetime, *, time_zone: str) -> date:
    """Return the first day of an instant's month in a time zone."""
    return instant.astimezone(ZoneInfo(time_zone)).date().replace(day=1)


def get_budgets(*, organization_id: UUID, month: date) -> Budgets:
    """Return an organization's budgets with what a month has seen of them. Three queries."""
    seen = {
        row.budget_id: row
        for row in BudgetPeriod.objects.filter(
            budget__organization_id=organization_id, period=month
        )
    }
    told: dict[int, tuple[int, ...]] = {}
    alerts = BudgetAlert.objects.filter(budget__organization_id=organization_id, period=month)
    for budget_id, percent in alerts.order_by("percent").values_list("budget_id", "percent"):
        told[budget_id] = (*told.get(budget_id, ()), percent)
    own = BudgetView(None, None)
    keys: dict[UUID, BudgetView] = {}
    for budget in Budget.objects.filter(organization_id=organization_id):
        view = _view(budget, seen.get(budget.pk), told.get(budget.pk, ()))
        if budget.api_key_id is None:
            own = view
        else:
            keys[budget.api_key_id] = view
    return Budgets(month, own, keys)


def get_wallet_status(*, organization_id: UUID, time_zone: str, now: datetime) -> WalletStatus:
    """Return the balance, the month's own budget, and what says that it is low. Two queries."""
    month = month_of(now, time_zone=time_zone)
    balance = get_balance(organization_id=organization_id)
    own, alert_micros = _own_budget(organization_id, month)
    days = now.astimezone(ZoneInfo(time_zone)).day
    ends_soon = balance.available_micros * days <= own.captured_micros * LOW_DAYS
    return WalletStatus(balance, own, month, ends_soon, alert_micros)


def get_balance_alert(*, organization_id: UUID) -> int | None:
    """Return the line below which an organization's balance is low; None where none is set."""
    own = BalanceAlert.objects.filter(organization_id=organization_id)
    return own.values_list("below_micros", flat=True).first()


def _own_budget(organization_id: UUID, month: date) -> tuple[BudgetView, int | None]:
    """Return the organization's budget, and the line of its balance."""
    alert = BalanceAlert.objects.filter(organization_id=organization_id).values("below_micros")
    row = (
        Budget.objects.filter(organization_id=organization_id, api_key=None)
        .annotate(seen=FilteredRelation("periods", condition=Q(periods__period=month)))
        .annotate(alert_micros=Subquery(alert))
        .values_list("limit_micros", "seen__captured_micros", "seen__held_micros", "alert_micros")
        .first()
    )
    limit, captured, held, alert_micros = row or (None, 0, 0, None)
    return BudgetView(None, limit, captured or 0, held or 0), alert_micros


def _view(budget: Budget, period: BudgetPeriod | None, told: tuple[int, ...]) -> BudgetView:
    return BudgetView(
        api_key_id=budget.api_key_id,
        limit_micros=budget.limit_micros,
        captured_micros=period.captured_micros if period else 0,
        held_micros=period.held_micros if period else 0,
        told=told,
    )
