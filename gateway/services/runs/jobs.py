"""What a worker carries while it runs a generation."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import TypeVar
from uuid import UUID

import gevent
from django.db import InterfaceError, OperationalError, connection

from gateway.catalog.fit import Fitted
from gateway.catalog.types import Route
from gateway.models import Attempt
from gateway.parameters.types import GenerationRequest
from gateway.providers.base import Endpoint
from gateway.providers.errors import ProviderTimedOut
from gateway.providers.transfer import TransferPermit
from gateway.services.breakers import Probe
from gateway.services.pricebook.costs import route_at_cost
from gateway.services.routing import Step, route_of
from gateway.services.runs.progress import Progress
from gateway.storage import StorageUnavailableError
from gateway.types import Claim

INSIST_PAUSE_S = 1.0
# Of several calls each ends this long before the deadline, so that what the others made can still
# be settled in time.
SETTLE_MARGIN_S = 2.0
T = TypeVar("T")


@dataclass(slots=True)
class Purse:
    """What the attempts of one generation may cost us together, in USD.

    The full costs of calls that are out are reserved; what they really cost is known at their end.
    `lost` is the part of `spent` that bought no images.
    """

    limit: Decimal
    spent: Decimal = Decimal(0)
    lost: Decimal = Decimal(0)
    reserved: Decimal = Decimal(0)

    def affords(self, cost: Decimal) -> bool:
        """Return whether one more call keeps the presumed costs within the quote.

        While nothing was lost there is no question: the catalog keeps first calls within it.
        """
        return not self.lost or self.spent + self.reserved + cost <= self.limit

    def reserve(self, cost: Decimal) -> None:
        """Set a call's full cost aside."""
        self.reserved += cost

    def book(self, reserved: Decimal, *, cost: Decimal, lost: bool = False) -> None:
        """End a reservation with what the call did cost."""
        self.reserved -= reserved
        self.spent += cost
        if lost:
            self.lost += cost


@dataclass(slots=True)
class Run:
    """A claimed generation in the hands of this worker.

    Attributes:
        partials: Partial images stored so far; None until the row was asked.
    """

    claim: Claim
    organization_id: UUID
    is_public: bool
    request: GenerationRequest
    plan: list[Step]
    route_index: int
    deadline_at: datetime
    deadline: float
    purse: Purse
    progress: Progress
    attempts: int = 0
    partials: int | None = None

    @property
    def step(self) -> Step:
        """Return the route now tried."""
        return self.plan[self.route_index]

    @property
    def queue(self) -> str:
        """Return the queue of the route now tried: its provider, or the sandbox."""
        return self.step["queue"]

    @property
    def remaining_s(self) -> float:
        """Return the seconds until the deadline."""
        return self.deadline - time.monotonic()

    def next_number(self) -> int:
        """Count one more attempt and return its number."""
        self.attempts += 1
        return self.attempts


@dataclass(frozen=True, slots=True)
class Job:
    """One attempt with everything around it.

    Attributes:
        indexes: The images it is to make, as many as its request asks for.
        full_cost: The worst cost of the call in USD.
        deadline: `time.monotonic()` value by which the provider must have answered.
        probe: Set where the call tries a provider whose breaker is open.
    """

    run: Run
    attempt: Attempt
    route: Route
    endpoint: Endpoint
    fitted: Fitted
    indexes: tuple[int, ...]
    permit: TransferPermit
    full_cost: Decimal
    deadline: float
    resumed_id: str = ""
    probe: Probe | None = None


class NotStoredError(ProviderTimedOut):
    """Time ran out after the provider had done its part, which its breaker must not count."""


def insist(run: Run, work: Callable[[], T]) -> T:
    """Repeat idempotent work through an outage of Postgres or S3 until the deadline.

    Raises:
        NotStoredError: S3 stayed away until the deadline.
        OperationalError, InterfaceError: Postgres stayed away until the deadline.
    """
    while True:
        try:
            return work()
        except (OperationalError, InterfaceError):
            connection.close()
            if run.remaining_s <= 0:
                raise
        except StorageUnavailableError as error:
            if run.remaining_s <= 0:
                raise NotStoredError(
                    "The images could not be stored before the deadline.", processed=True
                ) from error
        gevent.sleep(min(INSIST_PAUSE_S, max(run.remaining_s, 0.05)))


def priced_route(run: Run, step: Step) -> Route:
    """Return the route of a step at the costs in force; gives the connection back.

    Raises:
        ProviderUnavailableError: The catalog has lost it since.
        OperationalError, InterfaceError: Postgres stayed away until the deadline.
    """
    route = route_of(model=run.request.model, step=step)
    priced = insist(run, lambda: route_at_cost(route))
    connection.close()
    return priced
