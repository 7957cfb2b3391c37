"""Gauges of what other services hold, read again and again by a thread of their own.

A scrape takes what was read last, so it costs nothing and never waits for a service that is stuck.
"""

import threading
import time
from collections.abc import Callable, Mapping
from decimal import Decimal
from typing import Generic, TypeVar

T = TypeVar("T")
Gauges = Mapping[str, Mapping[tuple[str, ...], int | Decimal]]
"""Values by the name of their metric and by the values of its labels."""


class Repeated(Generic[T]):
    """What a function returned last.

    Args:
        read: Returns a value, or None in vain.
        every_s: Seconds between two calls.
        fresh_for_s: How long a value counts.
    """

    def __init__(self, read: Callable[[], T | None], *, every_s: float, fresh_for_s: float) -> None:
        self._read = read
        self._every_s = every_s
        self._fresh_for_s = fresh_for_s
        self._last: tuple[float, T] | None = None

    def start(self) -> None:
        """Begin to read, in a thread that ends with the process."""
        threading.Thread(target=self._read_for_ever, daemon=True).start()

    def read_now(self) -> None:
        """Read once."""
        value = self._read()
        self._last = None if value is None else (time.monotonic(), value)

    def recent(self) -> T | None:
        """Return the last value; None if the last reading was in vain, or has not ended in time."""
        if self._last is None or time.monotonic() - self._last[0] > self._fresh_for_s:
            return None
        return self._last[1]

    def _read_for_ever(self) -> None:
        while True:
            self.read_now()
            time.sleep(self._every_s)
