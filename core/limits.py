"""Rates per minute over a moving window, counted in Valkey by the library `limits`.

The library's own limiter makes a round trip for each limit, and another one for its state. Here
its scripts run in one pipeline for all limits of a request, so that the answer's headers come with
the decision. Rates guard no money: while Valkey is away, everything passes.
"""

import logging
import threading
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from functools import cache
from typing import Any

import redis
from limits import RateLimitItemPerMinute
from limits.storage import RedisStorage

from core.redis import CoolOff, redis_client

WINDOW_S = 60
# While Valkey is frozen so many callers wait for their time-out; the others find the cool-off.
CONNECTIONS = 16
# A turn comes late in a burst because the process is busy, not because Valkey is away: whoever
# waits for one is not let pass. Those ahead take `SOCKET_TIMEOUT_S` at most once they run.
TURN_TIMEOUT_S = 20.0
REPLIES = 4  # to each charge
logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Charge:
    """What one request takes from one limit.

    Attributes:
        resource: What is counted, such as `images`.
        owner: Whose limit it is; a limit that is changed begins with an empty window.
        per_minute: The limit, at least 1.
        cost: How much the request takes, at least 1.
    """

    resource: str
    owner: str
    per_minute: int
    cost: int


@dataclass(frozen=True, slots=True)
class Standing:
    """Where a limit stands after a charge was taken, or was refused.

    Attributes:
        remaining: How much more would pass now.
        reset_s: Seconds until the whole limit is free again.
        wait_s: Seconds until the charge would pass; 0 if it was not this limit that refused it.
        reset_before_s: What `reset_s` was before the charge.
    """

    charge: Charge
    is_refused: bool
    remaining: int
    reset_s: float
    wait_s: float
    reset_before_s: float

    def returned(self) -> "Standing":
        """Return how the limit stands once the charge was given back."""
        if self.is_refused:
            return self
        remaining = min(self.charge.per_minute, self.remaining + self.charge.cost)
        return replace(self, remaining=remaining, reset_s=self.reset_before_s)


@cache
def _cool_off() -> CoolOff:
    return CoolOff()


@cache
def _turns() -> threading.BoundedSemaphore:
    """Return turns of greenlets where gevent has patched, and of threads elsewhere."""
    return threading.BoundedSemaphore(CONNECTIONS)


def take(charges: Sequence[Charge], *, now: datetime) -> tuple[Standing, ...]:
    """Take all charges, or none of them if one is refused.

    One round trip; after a refusal a second one, to give back what other limits had let pass.

    Returns:
        A standing for each charge; nothing while Valkey is away or slow, which takes 0.5 s at most
        and, for five seconds after it did, no time. In a burst a caller waits for its turn.
    """
    moment_s = now.timestamp()
    pipeline = redis_client().pipeline()
    for charge in charges:
        _add(pipeline, charge, moment_s)
    replies = _run(pipeline)
    if replies is None:
        return ()
    standings = tuple(
        _standing(charge, replies[start : start + REPLIES], moment_s)
        for charge, start in zip(charges, range(0, len(replies), REPLIES), strict=True)
    )
    if not any(standing.is_refused for standing in standings):
        return standings
    passed = [standing.charge for standing in standings if not standing.is_refused]
    give_back(passed)
    return tuple(standing.returned() for standing in standings)


def give_back(charges: Sequence[Charge]) -> None:
    """Undo charges that were taken within the last minute. One round trip, none without charges."""
    if charges:
        pipeline = redis_client().pipeline()
        for charge in charges:
            # The newest entries; whose they are makes no difference to the count.
            pipeline.lpop(_key(charge), charge.cost)
        _run(pipeline)


def _key(charge: Charge) -> str:
    item = RateLimitItemPerMinute(charge.per_minute, namespace=f"lienzo:rate:{charge.resource}")
    return item.key_for(charge.owner)


def _add(pipeline: Any, charge: Charge, moment_s: float) -> None:  # noqa: ANN401 - untyped by redis-py
    """Append the commands of one charge: the library's moving window, and what it keeps."""
    key = _key(charge)
    limit, cost = charge.per_minute, charge.cost
    acquire = RedisStorage.SCRIPT_ACQUIRE_MOVING_WINDOW
    pipeline.eval(acquire, 1, key, repr(moment_s), limit, WINDOW_S, cost)
    pipeline.eval(RedisStorage.SCRIPT_MOVING_WINDOW, 1, key, repr(moment_s - WINDOW_S), limit)
    # The newest entries down to the one before this charge, and the one that must leave the window
    # before a refused charge fits.
    pipeline.lrange(key, 0, cost)
    pipeline.lindex(key, max(0, limit - cost))


def _run(pipeline: Any) -> list[Any] | None:  # noqa: ANN401 - as above
    """Send the commands and return the replies; None if Valkey is away or slow."""
    if not _turns().acquire(timeout=TURN_TIMEOUT_S):
        _cool_off().trip()
        return None
    try:
        if _cool_off().is_open():
            return None
        replies: list[Any] = pipeline.execute()
    except (redis.RedisError, OSError) as error:
        _cool_off().trip()
        logger.warning("limits.unavailable error=%r", error)
        return None
    finally:
        _turns().release()
    return replies


def _standing(charge: Charge, replies: Sequence[Any], moment_s: float) -> Standing:
    acquired, window, newest, obstacle = replies
    used = int(window[1]) if window else 0
    is_refused = not acquired
    before = newest if is_refused else newest[charge.cost :]
    return Standing(
        charge=charge,
        is_refused=is_refused,
        remaining=max(0, charge.per_minute - used),
        reset_s=_until_gone(newest, moment_s),
        wait_s=_until_gone([obstacle], moment_s) if obstacle and is_refused else 0.0,
        reset_before_s=_until_gone(before, moment_s),
    )


def _until_gone(entries: Sequence[bytes], moment_s: float) -> float:
    return max(0.0, float(entries[0]) + WINDOW_S - moment_s) if entries else 0.0
