"""Whether a process moves, and whether it can serve, told from memory alone: it costs nothing."""

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Protocol, TypeVar

import gevent
from gevent.hub import Hub
from gevent.monkey import get_original

T = TypeVar("T")
HUB_TIMEOUT_S = 10.0
_allocate_lock = get_original("_thread", "allocate_lock")


class Ask(Protocol):
    """Calls functions where the process works."""

    def __call__(self, work: Callable[[], T]) -> T | None:
        """Return what `work` returns, or None if the process stands still."""
        ...


@dataclass(slots=True)
class Pulse:
    """When something last happened that has to happen again within `limit_s` seconds.

    The start counts, so that what has not begun yet is given as much time.
    """

    limit_s: float
    _beaten_s: float = field(default_factory=time.monotonic)

    def beat(self) -> None:
        """Note that it has happened."""
        self._beaten_s = time.monotonic()

    @property
    def age_s(self) -> float:
        """Return the seconds since."""
        return time.monotonic() - self._beaten_s

    def fault(self, what: str) -> str:
        """Return nothing, or that `what` happened too long ago."""
        age_s = self.age_s
        return f"{what} was {age_s:.0f} s ago" if age_s > self.limit_s else ""


@dataclass(frozen=True, slots=True)
class Health:
    """What is wrong with a process; empty words if nothing is.

    Attributes:
        life: Why it makes no progress, so that only a restart helps.
        service: Why it could not do its work now.
    """

    life: Callable[[], str]
    service: Callable[[], str]


def ask_here(work: Callable[[], T]) -> T | None:
    """Call `work` on the caller's own thread."""
    return work()


def hub_asker(timeout_s: float = HUB_TIMEOUT_S) -> Ask:
    """Return what calls functions in greenlets of this thread's hub, for other threads to use.

    A hub that does not get round to it in time stands still.
    """
    hub = gevent.get_hub()

    def ask(work: Callable[[], T]) -> T | None:
        return _on_hub(hub, work, timeout_s)

    return ask


def _on_hub(hub: Hub, work: Callable[[], T], timeout_s: float) -> T | None:
    results: list[T] = []
    done = _allocate_lock()
    done.acquire()

    def run() -> None:
        try:
            results.append(work())
        finally:
            done.release()

    hub.loop.run_callback_threadsafe(gevent.spawn, run)
    if not done.acquire(True, timeout_s):  # noqa: FBT003 - as the lock has it
        return None
    return results[0] if results else None
