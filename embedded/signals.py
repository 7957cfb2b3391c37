"""Stop signals as a flag, and sleeping that a signal ends."""

import os
import select
import signal
from types import FrameType, TracebackType
from typing import Self

_STOPPING = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class StopSignals:
    """While entered, SIGINT, SIGTERM and SIGHUP are counted instead of ending the process.

    A flag and not an exception: an exception in the middle of starting a child would lose it.
    """

    def __init__(self) -> None:
        self.count = 0

    def __enter__(self) -> Self:
        self._reading, self._writing = os.pipe()
        os.set_blocking(self._reading, False)
        os.set_blocking(self._writing, False)
        self._wakeup = signal.set_wakeup_fd(self._writing, warn_on_full_buffer=False)
        self._previous = {
            number: signal.getsignal(number) for number in (*_STOPPING, signal.SIGCHLD)
        }
        for number in _STOPPING:
            # nohup's choice is respected; a shell's `&` ignores SIGINT too, but nobody chose that.
            if number != signal.SIGHUP or self._previous[number] != signal.SIG_IGN:
                signal.signal(number, self._count)
        # The default ignores it without waking us; a dead child is to be noticed at once.
        signal.signal(signal.SIGCHLD, _do_nothing)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        for number, handler in self._previous.items():
            signal.signal(number, handler)
        signal.set_wakeup_fd(self._wakeup)
        os.close(self._reading)
        os.close(self._writing)

    @property
    def requested(self) -> bool:
        """Whether a stop was asked for."""
        return self.count > 0

    @property
    def insisted(self) -> bool:
        """Whether it was asked for again: no more patience."""
        return self.count > 1

    def sleep(self, seconds: float) -> None:
        """Sleep until a signal, the end of a child included, or the time."""
        ready, _, _ = select.select([self._reading], [], [], max(0.0, seconds))
        if ready:
            os.read(self._reading, 4096)

    def _count(self, _number: int, _frame: FrameType | None) -> None:
        self.count += 1


def _do_nothing(_number: int, _frame: FrameType | None) -> None:
    return
