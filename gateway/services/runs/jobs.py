"""What a worker carries while it runs a generation."""

import time
from collections.abc import Callable
from dataclasses import dataclass, field
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
from gateway.providers.errors import ProviderTimedOut
from gateway.providers.transfer import TransferPermit
from gateway.services.costing import full_cost
from gateway.services.routing import Step
from gateway.storage import StorageUnavailableError
from gateway.types import Claim

INSIST_PAUSE_S = 1.0
T = TypeVar("T")


@dataclass(slots=True)
class Run:
    """A claimed generation in the hands of this worker."""

    claim: Claim
    organization_id: UUID
    is_public: bool
    request: GenerationRequest
    plan: list[Step]
    route_index: int
    budget_usd: Decimal
    deadline_at: datetime
    deadline: float
    permit: TransferPermit
    recovered: bool
    spent_usd: Decimal = Decimal(0)
    tries: int = 0
    dropped: list[str] = field(default_factory=list)

    @property
    def step(self) -> Step:
        """Return the route now tried."""
        return self.plan[self.route_index]

    @property
    def remaining_s(self) -> float:
        """Return the seconds until the deadline."""
        return self.deadline - time.monotonic()


@dataclass(frozen=True, slots=True)
class Job:
    """One attempt with everything around it."""

    run: Run
    attempt: Attempt
    route: Route
    fitted: Fitted
    resumed_id: str = ""

    @property
    def full_cost(self) -> Decimal:
        """Return the worst cost of the call in USD."""
        return full_cost(
            request=self.run.request, route=self.route, images=self.fitted.image_request.n
        )


def insist(run: Run, work: Callable[[], T]) -> T:
    """Repeat idempotent work through an outage of Postgres or S3 until the deadline.

    Raises:
        ProviderTimedOut: S3 stayed away until the deadline.
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
                raise ProviderTimedOut(
                    "The images could not be stored before the deadline.", processed=True
                ) from error
        gevent.sleep(min(INSIST_PAUSE_S, max(run.remaining_s, 0.05)))
