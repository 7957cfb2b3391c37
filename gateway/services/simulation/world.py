"""Who takes part in a simulated month, at which prices, and what happens when."""

import heapq
import random
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from typing import Final
from uuid import UUID

from billing.services.fx import set_rate
from billing.services.markups import change_organization_markup
from billing.services.prices import set_price
from billing.services.rates.spreads import set_spread
from billing.services.simulation.cards import PlayedCard
from billing.services.taxes.rates import NewTaxRate, set_tax_rate
from core.ids import new_uuid
from gateway.services.onboarding import KeyTerms, open_api_key, open_organization
from orgs.models import ApiKey, Organization, User
from orgs.services.audit import SYSTEM, Actor, Origin, user_actor

MARK: Final = "Simulated"
# Currency, time zone, country; what a unit of USD is worth at first, and the size of a top-up.
HOMES: Final = (
    ("MXN", "America/Mexico_City", "MX", Decimal("18.4375"), 2_000),
    ("USD", "America/New_York", "US", Decimal(1), 100),
    ("EUR", "Europe/Madrid", "ES", Decimal("0.8625"), 90),
)
TAXES: Final = (("MX", "IVA", "0.16"), ("ES", "IVA", "0.21"))


@dataclass(frozen=True, slots=True)
class Model:
    """A model of the simulation: who draws it, at which list price and cost in USD."""

    key: str
    size: str
    providers: tuple[str, str]
    price: Decimal
    cost: Decimal


MODELS: Final = (
    Model("simulated/flux", "1024x1024", ("fal", "bfl"), Decimal("0.0400"), Decimal("0.0310")),
    Model("simulated/photo", "1536x1024", ("openai", "azure"), Decimal("0.0835"), Decimal("0.06")),
    Model("simulated/line", "1024x1024", ("stability", "fal"), Decimal("0.0107"), Decimal("0.006")),
    Model("simulated/gem", "1024x1024", ("gemini", "gemini"), Decimal("0.0394"), Decimal("0.0250")),
)  # fmt: skip
_NATIVE: Final = ("simulated/gem", "EUR", Decimal("0.0371"))
"""A price in a book of a wallet's own currency, which is charged as it stands."""


@dataclass(slots=True)
class Customer:
    """An organization, its key, and what happened to it that something may follow from."""

    organization: Organization
    api_key: ApiKey
    top_up: int
    cards: list[PlayedCard] = field(default_factory=list)
    charged: list[str] = field(default_factory=list)
    suspended: bool = False

    @property
    def id(self) -> UUID:
        """Return the organization's id."""
        return self.organization.id


@dataclass(slots=True)
class World:
    """Everything that a simulated month goes by.

    `agenda` is what is still to happen, in the order of time; whatever happens may add to it.
    """

    chance: random.Random
    month: date
    customers: list[Customer]
    asking: Actor
    deciding: Actor
    done: Counter[str] = field(default_factory=Counter)
    _agenda: list[tuple[datetime, int, Callable[[datetime], object]]] = field(default_factory=list)
    _planned: int = 0

    @property
    def begins(self) -> datetime:
        """Return the first instant of the month, in UTC."""
        return datetime.combine(self.month, time.min, UTC)

    @property
    def ends(self) -> datetime:
        """Return the first instant after it."""
        return datetime.combine(following(self.month), time.min, UTC)

    def plan(self, at: datetime, what: Callable[[datetime], object]) -> None:
        """Let something happen, unless the month is about to be over by then."""
        if at < self.ends - timedelta(minutes=5):
            self._planned += 1
            heapq.heappush(self._agenda, (at, self._planned, what))

    def soon(self, now: datetime, *, hours: int) -> datetime:
        """Return an instant within so many hours."""
        return now + timedelta(minutes=self.chance.randint(1, hours * 60))

    def happens(self, percent: int) -> bool:
        """Draw whether something happens that does in so many of a hundred cases."""
        return self.chance.randrange(100) < percent

    def some_time(self) -> datetime:
        """Return any instant of the month."""
        seconds = int((self.ends - self.begins).total_seconds())
        return self.begins + timedelta(seconds=self.chance.randrange(3600, seconds))

    def live(self) -> None:
        """Let everything happen that is planned, in the order of time."""
        while self._agenda:
            at, _, what = heapq.heappop(self._agenda)
            what(at)


def following(month: date) -> date:
    """Return the first day of the next month."""
    return (month + timedelta(days=31)).replace(day=1)


def open_world(*, seed: int, month: date, organizations: int) -> World:
    """Open organizations in three currencies and their zones, and two people of finance."""
    chance = random.Random(seed)  # noqa: S311 - drawn to be repeated
    begins = datetime.combine(month, time.min, UTC)
    for country, name, rate in TAXES:
        terms = NewTaxRate(country, name, Decimal(rate), active_from=begins)
        set_tax_rate(terms=terms, actor=SYSTEM, now=begins)
    customers = [_open_customer(number, month) for number in range(organizations)]
    world = World(chance, month, customers, _finance(), _finance())
    _set_terms(world)
    return world


def _open_customer(number: int, month: date) -> Customer:
    currency, zone, country, _, units = HOMES[number % len(HOMES)]
    organization = open_organization(
        name=f"{MARK} {number + 1}, {month:%Y-%m}",
        currency=currency,
        time_zone=zone,
        language="es" if currency == "MXN" else "en",
        is_demo=True,
    )
    organization.billing_country = country
    organization.save(update_fields=["billing_country"])
    api_key, _ = open_api_key(organization=organization, terms=KeyTerms(name=MARK))
    return Customer(organization, api_key, units * 1_000_000)


def _finance() -> Actor:
    email = f"finance.{new_uuid().hex}@simulated.invalid"
    user = User.objects.create_user(email, None, staff_role=User.StaffRole.FINANCE)
    return user_actor(user, origin=Origin())


def _set_terms(world: World) -> None:
    """Set prices, rates, a spread and a markup at the beginning, and plan their changes."""
    begins = world.begins
    for model in MODELS:
        _price(model, model.price, begins)
        changes = begins + timedelta(days=world.chance.randint(10, 18), hours=7)
        factor = Decimal(world.chance.randint(90, 115)) / 100
        world.plan(changes, _later_price(model, round(model.price * factor, 5)))
    key, currency, price = _NATIVE
    set_price(model_key=key, amount=price, currency=currency, now=begins)
    for currency, _, _, first, _ in HOMES:
        if currency == "USD":
            continue
        _rate(currency, first, begins)
        rate = first
        for day in range(3, 28, 4):
            rate = round(rate * Decimal(world.chance.randint(9_850, 10_150)) / 10_000, 6)
            world.plan(begins + timedelta(days=day, hours=14), _later_rate(currency, rate))
        set_spread(base="USD", quote=currency, rate=Decimal("0.01"), now=begins)
    half = begins + timedelta(days=14)
    world.plan(
        half,
        lambda at: set_spread(base="USD", quote="MXN", rate=Decimal("0.0075"), now=at),
    )
    dear = world.customers[0]
    world.plan(
        half,
        lambda at: change_organization_markup(
            organization_id=dear.id, rate=Decimal("0.035"), actor=SYSTEM, now=at
        ),
    )


def _later_price(model: Model, amount: Decimal) -> Callable[[datetime], object]:
    return lambda at: _price(model, amount, at)


def _later_rate(currency: str, rate: Decimal) -> Callable[[datetime], object]:
    return lambda at: _rate(currency, rate, at)


def _price(model: Model, amount: Decimal, at: datetime) -> None:
    set_price(model_key=model.key, size=model.size, amount=amount, now=at)


def _rate(currency: str, rate: Decimal, at: datetime) -> None:
    set_rate(base="USD", quote=currency, rate=rate, source="manual", as_of=at, now=at)
