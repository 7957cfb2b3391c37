"""One absolute deadline per call, in seconds of `time.monotonic()`."""

import time
from collections.abc import Iterator
from contextlib import contextmanager

import gevent

from core.http.errors import TimedOut


class DeadlineTimer(gevent.Timeout):
    """The timer of one call; a connection interrupted before the request left clears `sent`."""

    sent = True


def remaining_s(deadline: float, *, processed: bool) -> float:
    """Return the seconds left, more than 0.

    Raises:
        TimedOut: None is left.
    """
    left = deadline - time.monotonic()
    if left <= 0:
        raise TimedOut("the deadline has passed", processed=processed)
    return left


@contextmanager
def within(deadline: float, *, processed: bool) -> Iterator[None]:
    """Interrupt the block at the deadline, wherever its greenlet waits.

    Only socket work belongs inside: an interrupted database call would leave its connection broken.
    In a process without gevent's patches nothing interrupts; there the sockets' own timeouts and
    the check after each chunk hold.

    Args:
        deadline: `time.monotonic()` value.
        processed: Whether the request had already been sent before the block.

    Raises:
        TimedOut: The deadline passed, before or inside the block.
    """
    timer = DeadlineTimer(remaining_s(deadline, processed=processed))
    timer.start()
    try:
        yield
    except DeadlineTimer as error:
        if error is not timer:
            raise
        raise TimedOut("the deadline has passed", processed=timer.sent) from None
    finally:
        timer.close()
