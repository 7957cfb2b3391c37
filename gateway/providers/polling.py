"""Waiting for a job at a provider: how often to ask, and what is not an answer yet."""

from collections.abc import Callable
from typing import Final, TypeVar

from gateway.providers import wire

Answer = TypeVar("Answer")

# Longest wait for one answer about a job's state.
STATUS_S_MAX: Final = 15.0
# How often a job may be unknown before it is given up: a new one takes a moment to be known
# everywhere.
UNKNOWN_TRIES: Final = 3
_FIRST_S_MAX: Final = 2.0
_INTERVAL_S_MIN: Final = 0.2
_INTERVAL_S_MAX: Final = 2.0
_GROWTH: Final = 1.25
_TRANSIENT: Final = frozenset({408, 429})
_SERVER_ERROR: Final = 500


def first_pause_s(expected_s: float) -> float:
    """Return how long to leave a new job alone: a tenth of its usual time, at most 2 s."""
    return min(expected_s / 10, _FIRST_S_MAX)


def until(ask: Callable[[], Answer | None], *, deadline: float, first_s: float = 0.0) -> Answer:
    """Ask until there is an answer other than None, ever more slowly.

    Raises:
        ProviderTimedOut: The deadline has come; the upstream may still be at work.
    """
    if first_s:
        wire.pause(first_s, deadline=deadline)
    interval_s = _INTERVAL_S_MIN
    while True:
        answer = ask()
        if answer is not None:
            return answer
        wire.pause(interval_s, deadline=deadline)
        interval_s = min(interval_s * _GROWTH, _INTERVAL_S_MAX)


def is_passing(status: int) -> bool:
    """Whether a poll that was answered so is worth repeating: the job runs on regardless."""
    return status >= _SERVER_ERROR or status in _TRANSIENT
