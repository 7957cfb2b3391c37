"""Waiting for PostgreSQL in a greenlet, for a third of what gevent's `poll` costs."""

from typing import Any, Final, TypeVar

import psycopg
from gevent import get_hub
from gevent.monkey import is_module_patched
from psycopg.abc import PQGen

T = TypeVar("T")

# psycopg's WAIT_R, WAIT_W, READY_R, READY_W and libev's EV_READ, EV_WRITE are the same two bits.
_BOTH: Final = 3
# psycopg's own: how often it looks up while it waits.
_INTERVAL_S: Final = 0.1


class GreenConnection(psycopg.Connection[Any]):
    """A connection whose queries wait by one watcher of the greenlet's hub.

    Without gevent's patches, or with a time-out, it waits as psycopg does.
    """

    def wait(self, gen: PQGen[T], interval: float = _INTERVAL_S, timeout: float | None = None) -> T:
        """Run a query's generator to its end and return its result.

        A wait that is interrupted leaves the connection in the middle of a query, as psycopg's own
        does under gevent; it is not used again.
        """
        if timeout is not None or not is_module_patched("select"):
            return super().wait(gen, interval, timeout)
        hub = get_hub()
        try:
            wanted = next(gen)
            while True:
                events = int(wanted) & _BOTH
                watcher = hub.loop.io(self.pgconn.socket, events)
                try:
                    hub.wait(watcher)
                finally:
                    watcher.close()
                wanted = gen.send(events)
        except StopIteration as end:
            result: T = end.value
            return result
