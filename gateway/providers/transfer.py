"""The bound on images in flight: waiting is free, reading and handling bodies is not."""

import functools
from types import TracebackType
from typing import Self

from gevent.lock import BoundedSemaphore


@functools.cache
def transfer_semaphore(limit: int) -> BoundedSemaphore:
    """Return this process's semaphore of `limit` transfers, always the same one for one limit."""
    return BoundedSemaphore(limit)


# An answer of several large images may take hundreds of megabytes, decoded twice that. Two, so that
# one that trickles in does not keep all others waiting.
LARGE_TRANSFERS = 2


@functools.cache
def large_transfers() -> BoundedSemaphore:
    """Return this process's semaphore of transfers that hold more than 16 MiB."""
    return BoundedSemaphore(LARGE_TRANSFERS)


class TransferPermit:
    """One call's right to hold image bytes in memory. Used by one greenlet at a time.

    An adapter acquires it before it reads a body with images; the runner keeps it while it checks
    and stores them, then releases it. Both verbs may be repeated: only the first acquire and the
    first release count.
    """

    def __init__(self, semaphore: BoundedSemaphore) -> None:
        self._semaphore = semaphore
        self._held = False
        self._is_large = False

    @property
    def held(self) -> bool:
        """Whether the permit is acquired now."""
        return self._held

    def acquire(self, timeout_s: float | None = None) -> bool:
        """Wait for a free transfer; return False when `timeout_s` passed without one."""
        if not self._held:
            self._held = bool(self._semaphore.acquire(timeout=timeout_s))
        return self._held

    def acquire_large(self, timeout_s: float | None = None) -> bool:
        """Wait, with the permit in hand, until one may hold more than 16 MiB; as `acquire`."""
        if not self._is_large:
            self._is_large = bool(large_transfers().acquire(timeout=timeout_s))
        return self._is_large

    def release(self) -> None:
        """Give the transfer back, if held."""
        if self._is_large:
            self._is_large = False
            large_transfers().release()
        if self._held:
            self._held = False
            self._semaphore.release()

    def __enter__(self) -> Self:
        """Enter without acquiring: only the release at the end is sure."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.release()
