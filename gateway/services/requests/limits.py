"""Requests and images per minute, of a key and of its organization.

Only requests for images count, and only those that make a generation of their own: a replay and an
adoption take nothing. What is refused after this step, for want of money say, counts as a request
and gives its images back.
"""

from dataclasses import dataclass
from datetime import datetime
from math import ceil
from typing import Final, Self

from core.limits import WINDOW_S, Charge, Standing, give_back, take
from gateway.errors import RateLimitExceededError
from gateway.storage import release_connections
from orgs.services.api_keys import Caller

REQUESTS: Final = "requests"
IMAGES: Final = "images"
API_KEY: Final = "API key"
ORGANIZATION: Final = "organization"


@dataclass(frozen=True, slots=True)
class Spent:
    """What a request took from its limits; empty without limits, and while Valkey is away."""

    standings: tuple[Standing, ...] = ()

    def standing_of(self, resource: str) -> Standing | None:
        """Return the standing of the key's limit or the organization's, whichever is nearer."""
        found = [one for one in self.standings if one.charge.resource == resource]
        return min(found, key=lambda one: (one.remaining, -one.reset_s), default=None)

    def require_granted(self) -> None:
        """Refuse the request if a limit did.

        Raises:
            RateLimitExceededError: It names the limit, and says when to come again.
        """
        refused = [standing for standing in self.standings if standing.is_refused]
        if refused:
            raise _refusal(max(refused, key=lambda one: (not _can_ever_pass(one), one.wait_s)))

    def returned(self, *resources: str) -> Self:
        """Give back what was taken of some resources. One round trip, none without limits."""
        taken = [one for one in self.standings if one.charge.resource in resources]
        give_back([standing.charge for standing in taken])
        return type(self)(tuple(one.returned() if one in taken else one for one in self.standings))


def spend(*, caller: Caller, images: int, now: datetime) -> Spent:
    """Take one request and so many images from every limit there is, or nothing from any.

    One round trip to Valkey, none without limits. No database connection is held meanwhile.
    """
    charges = _charges(caller, images)
    if not charges:
        return Spent()
    release_connections()
    return Spent(take(charges, now=now))


def _charges(caller: Caller, images: int) -> list[Charge]:
    owners = (
        (API_KEY, caller.api_key_id, caller.key_rates),
        (ORGANIZATION, caller.organization_id, caller.organization_rates),
    )
    return [
        Charge(resource, f"{kind}/{owner}", limit, cost)
        for kind, owner, rates in owners
        for resource, limit, cost in (
            (REQUESTS, rates.requests_per_minute, 1),
            (IMAGES, rates.images_per_minute, images),
        )
        if limit is not None
    ]


def _can_ever_pass(standing: Standing) -> bool:
    return standing.charge.cost <= standing.charge.per_minute


def _refusal(standing: Standing) -> RateLimitExceededError:
    charge = standing.charge
    owner = charge.owner.partition("/")[0]
    limit = f"the {owner}'s limit of {charge.per_minute} {charge.resource} per minute"
    if not _can_ever_pass(standing):
        return RateLimitExceededError(
            f"Rate limit exceeded: {charge.cost} {charge.resource} at once are more than {limit}"
            f" (it resets in {format_span(standing.reset_s)}). Ask for fewer.",
            retry_after_s=WINDOW_S,
            can_ever_pass=False,
        )
    wait_s = min(max(1, ceil(standing.wait_s)), WINDOW_S)
    return RateLimitExceededError(
        f"Rate limit exceeded: {limit} leaves {standing.remaining} and {charge.cost} is asked for."
        f" Try again in {format_span(wait_s)}; it resets in {format_span(standing.reset_s)}.",
        retry_after_s=wait_s,
    )


def format_span(seconds: float) -> str:
    """Return a span as OpenAI's headers have it, rounded up: `12s`, `1m0s`."""
    minutes, rest = divmod(ceil(seconds), 60)
    return f"{minutes}m{rest}s" if minutes else f"{rest}s"
