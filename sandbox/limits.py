"""Calls per minute and key, as providers count them."""

import math
import time
from dataclasses import dataclass
from typing import Final

WINDOW_S: Final = 60
SHOWN_LIMIT: Final = 10_000


@dataclass(slots=True)
class _Window:
    """Calls of one key within the running minute."""

    started_at: float
    calls: int = 0


@dataclass(frozen=True, slots=True)
class Counted:
    """One key's minute after a call: `limit` is shown where none is enforced."""

    limit: int
    remaining: int
    reset_s: int
    exceeded: bool


class Meter:
    """Counts the calls of every key of one provider."""

    def __init__(self) -> None:
        self._windows: dict[str, _Window] = {}

    def count(self, key: str, *, enforced: int) -> Counted:
        """Count a call against the minute of its key; `enforced` 0 means that no limit holds."""
        limit = enforced or SHOWN_LIMIT
        now = time.monotonic()
        window = self._windows.get(key)
        if window is None or now - window.started_at >= WINDOW_S:
            window = self._windows[key] = _Window(now)
        window.calls += 1
        return Counted(
            limit=limit,
            remaining=max(0, limit - window.calls),
            reset_s=math.ceil(window.started_at + WINDOW_S - now),
            exceeded=bool(enforced) and window.calls > enforced,
        )
