"""Playing a whole month, and refusing where that would mix with anything real."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Final
from uuid import UUID

from billing.selectors.reports.trial_balance import list_movements
from billing.services.statements.issuing import issue_due_statements
from gateway.services.simulation import money
from gateway.services.simulation.exports import write_tables
from gateway.services.simulation.generations import play_generation
from gateway.services.simulation.world import Customer, World, following, open_world
from orgs.errors import InvalidInputError
from orgs.models import Organization

_EPOCH: Final = date(2000, 1, 1)
Happening = Callable[[World, Customer, datetime], None]
# How often each happens to an organization in a month.
_HAPPENINGS: Final[tuple[tuple[Happening, int], ...]] = (
    (money.add_by_card, 4),
    (money.add_by_transfer, 2),
    (money.add_strangely, 1),
    (money.promise_credit, 3),
    (money.refund_images, 5),
    (money.adjust_wallet, 2),
)


@dataclass(frozen=True, slots=True)
class Simulated:
    """What came of it: the organizations, and how often each thing happened."""

    organizations: tuple[UUID, ...]
    statements: int
    done: Mapping[str, int]


def require_scratch(*, month: date) -> None:
    """Refuse a database of a business, or one whose books reach into the month already.

    Raises:
        InvalidInputError: It is one.
    """
    live = Organization.objects.filter(is_demo=False).order_by("created_at").first()
    if live is not None:
        raise InvalidInputError(
            f"This database has organizations of a business ('{live.name}'). A month is simulated"
            " in a database of its own alone."
        )
    until = following(month) - timedelta(days=1)
    if any(
        one.closing_debit or one.closing_credit for one in list_movements(begins=_EPOCH, ends=until)
    ):
        raise InvalidInputError(
            f"The books have entries of {month:%Y-%m} or before. Take a later month, or a new"
            " database."
        )


def simulate_month(
    *, seed: int, month: date, organizations: int, generations: int, folder: Path
) -> Simulated:
    """Play a month, issue its statements, and write its tables as CSV files.

    The same seed plays the same month but for ids. Many transactions, in the order of time.

    Args:
        seed: Of everything that is drawn.
        month: Its first day.
        organizations: How many, in three currencies.
        generations: How many they ask for together.
        folder: Where the files go; made if it is missing.
    """
    world = open_world(seed=seed, month=month, organizations=organizations)
    for customer in world.customers:
        start = world.begins + timedelta(hours=1, minutes=world.chance.randint(0, 600))
        world.plan(start, partial(money.add_by_card, world, customer))
        for happening, times in _HAPPENINGS:
            for _ in range(times):
                world.plan(world.some_time(), partial(happening, world, customer))
    for day in range((world.ends - world.begins).days):
        at = world.begins + timedelta(days=day, hours=3)
        world.plan(at, partial(money.let_credit_expire, world))
    for _ in range(generations):
        customer = world.chance.choice(world.customers)
        world.plan(world.some_time(), partial(play_generation, world, customer))
    world.live()
    own = tuple(customer.id for customer in world.customers)
    issued = sum(
        issue_due_statements(now=world.ends + timedelta(days=2), organization_id=one) for one in own
    )
    folder.mkdir(parents=True, exist_ok=True)
    write_tables(folder, month=month, organizations=own)
    return Simulated(own, issued, dict(world.done))
