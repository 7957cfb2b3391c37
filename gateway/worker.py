"""What one worker process does: take slots, claim, run; and look for work by itself.

A wake message says only that a queue has work. Each queue has a number of slots, and all slots
together are fewer than the pool, so that one hanging provider cannot starve the others.
"""

import logging
import time
from collections.abc import Collection, Mapping
from functools import cache, partial
from uuid import UUID

import gevent
from django.conf import settings
from django.db import DatabaseError, connection
from gevent.event import Event

from core.clock import now
from core.ids import new_uuid
from core.telemetry import context
from core.telemetry.spans import Span, span
from gateway.metrics import SLOTS, SLOTS_BUSY
from gateway.services.processes import CurrentProcess, Kind, current_process
from gateway.services.routing import busy_queues, queues
from gateway.services.runs.claims import claim_next, give_back_unknown, startable
from gateway.services.runs.endings import fail_generation
from gateway.services.runs.observing import working_on_generation
from gateway.services.runs.runner import run_claim
from gateway.types import Claim, ClaimedWork, Failure

LOOK_EVERY_S = 2.0
CRASHED = Failure(
    code="internal_error",
    category="internal",
    message="The server had an error. You were not charged for it. Try again shortly.",
    retryable=True,
)
# Tasks of the pool that stay free for wake messages and periodic work.
RESERVED_TASKS = 16
logger = logging.getLogger(__name__)


class Slots:
    """How many jobs of each queue this process may run at once."""

    def __init__(self, pool_size: int, names: Collection[str], *, busy: Collection[str]) -> None:
        idle = len(names) - len(busy)
        shared = (pool_size - RESERVED_TASKS - idle) // max(1, len(busy))
        # A queue without an endpoint here holds at most what an earlier configuration left.
        self._capacity = dict.fromkeys(names, 1) | dict.fromkeys(busy, max(1, shared))
        self._used = dict.fromkeys(names, 0)
        self._closed = False
        self.idle = Event()
        self.idle.set()

    def take(self, queue: str) -> bool:
        """Take a slot if one is free and the process is not stopping."""
        if self._closed or self._used[queue] >= self._capacity[queue]:
            return False
        self._used[queue] += 1
        self.idle.clear()
        return True

    def give_back(self, queue: str) -> None:
        """Return a slot."""
        self._used[queue] -= 1
        if not any(self._used.values()):
            self.idle.set()

    def used(self, queue: str) -> int:
        """Return how many slots of a queue are taken."""
        return self._used[queue]

    def free(self, queue: str) -> int:
        """Return how many slots of a queue are free."""
        return 0 if self._closed else self._capacity[queue] - self._used[queue]

    @property
    def capacity(self) -> Mapping[str, int]:
        """Return how many jobs of each queue may run."""
        return self._capacity

    @property
    def is_open(self) -> bool:
        """Return whether slots are still given out."""
        return not self._closed

    def close(self) -> None:
        """Give out no more slots."""
        self._closed = True


class Worker:
    """The generation work of this process."""

    def __init__(self, process: CurrentProcess, slots: Slots) -> None:
        self._process = process
        self._slots = slots
        # Queues with a wake that found no slot: since the last claim, and since the last one in
        # vain.
        self._missed: set[str] = set()
        self._backlogs: set[str] = set()
        self._tokens: set[UUID] = set()
        self._claim_unknown = False
        self._looker: gevent.Greenlet[[], None] | None = None

    def start(self) -> None:
        """Register the process and begin to look for work."""
        self._process.slots = self._slots.capacity
        for queue, count in self._slots.capacity.items():
            SLOTS.labels(queue).set(count)
            SLOTS_BUSY.labels(queue).set_function(partial(self._slots.used, queue))
        self._process.start()
        self._looker = gevent.spawn(self._look_for_ever)

    def serve_only(self, names: Collection[str]) -> None:
        """Take the work of these queues alone; called before any is taken.

        The whole pool is theirs then. What no worker serves waits until its deadline.
        """
        self._slots = _slots_of([name for name in queues() if name in names])

    def drain(self, queue: str) -> None:
        """Run queued generations one after another until no slot or no work is left.

        Each has a wake of its own, so whoever has run one looks for another only where some have
        found no slot, or a limit keeps them waiting for an end.
        """
        if not self._slots.take(queue):
            # Whoever holds the slots looks once more before it gives one back.
            self._missed.add(queue)
            self._backlogs.add(queue)
            return
        try:
            while not self._stopping():
                self._missed.discard(queue)
                found = self._run_one(queue)
                if queue in self._missed:
                    continue
                if not found:
                    self._backlogs.discard(queue)
                    return
                if queue not in self._backlogs and queue not in settings.PROVIDER_LIMITS:
                    return
        finally:
            self._slots.give_back(queue)

    def stop(self) -> None:
        """Claim nothing more; jobs that run go on."""
        self._process.is_draining = True
        self._slots.close()

    def wait_until_idle(self, timeout_s: float) -> bool:
        """Wait for the running jobs; return whether all have ended."""
        return bool(self._slots.idle.wait(timeout=timeout_s))

    def end(self) -> None:
        """End the process's lease."""
        if self._looker is not None:
            self._looker.kill(block=False)
        self._process.stop()

    def fault_of_life(self) -> str:
        """Return why this process no longer works; nothing if it does, or has yet to begin."""
        looker = self._looker
        return "it no longer looks for work" if looker is not None and looker.dead else ""

    def fault_of_service(self) -> str:
        """Return why this process takes no work now."""
        if not self._slots.is_open:
            return "it is stopping"
        return "" if self._process.holds_lease else "it has no lease: the database did not answer"

    def _stopping(self) -> bool:
        return self._process.id is None or not self._slots.is_open

    def _run_one(self, queue: str) -> bool:
        """Claim and run one generation; return whether there was one."""
        token = new_uuid()
        self._tokens.add(token)
        looked_ns = time.time_ns()
        try:
            work = self._claim(queue, token)
            if work is None:
                return False
            with working_on_generation(
                "generate",
                work.claim.generation_id,
                work.organization_id,
                traceparent=work.traceparent,
                started_ns=looked_ns,
            ) as present:
                present.set("lienzo.queue", queue)
                present.set("lienzo.recoveries", work.recoveries)
                span("claim", started_ns=looked_ns).end()
                context.conceal(work.parameters.get("prompt"))
                self._run(work, present)
            return True
        finally:
            self._tokens.discard(token)

    def _run(self, work: ClaimedWork, present: Span) -> None:
        try:
            run_claim(work)
        except Exception as error:
            # The outermost edge: one broken job must not end the loop.
            logger.exception("worker.run_crashed generation=%s", work.claim.generation_id)
            present.fail(type(error).__qualname__)
            self._fail_crashed(work.claim)

    def _claim(self, queue: str, token: UUID) -> ClaimedWork | None:
        worker_id = self._process.id
        if worker_id is None:
            return None
        try:
            return claim_next(queue=queue, worker_id=worker_id, token=token)
        except DatabaseError as error:
            logger.warning("worker.claim_failed queue=%s error=%s", queue, error)
            self._claim_unknown = True
            return None
        finally:
            connection.close()

    def _fail_crashed(self, claim: Claim) -> None:
        """End a job that broke this server; where even that fails, the sweeper ends it."""
        try:
            fail_generation(
                generation_id=claim.generation_id, failure=CRASHED, claim=claim, now=now()
            )
        except DatabaseError as error:
            logger.warning("worker.fail_failed error=%s", error)
        finally:
            connection.close()

    def _give_back_unknown(self) -> None:
        """Queue again what was claimed while the database went away, and nobody here knows of."""
        if self._claim_unknown and self._process.id is not None:
            give_back_unknown(worker_id=self._process.id, known=self._tokens)
            self._claim_unknown = False

    def look(self) -> None:
        """Take what waits and can start, as far as there are slots.

        Raises:
            DatabaseError: The database could not be asked.
        """
        for queue, count in startable().items():
            if queue not in self._slots.capacity:
                continue
            free = self._slots.free(queue)
            if count > free:
                self._backlogs.add(queue)
            for _ in range(min(count, free)):
                gevent.spawn(self.drain, queue)

    def _look_for_ever(self) -> None:
        """Look for queued work by itself, so that a dead broker delays and stops nothing."""
        while True:
            gevent.sleep(LOOK_EVERY_S)
            try:
                self._give_back_unknown()
                self.look()
            except DatabaseError as error:
                logger.warning("worker.look_failed error=%s", error)
            finally:
                connection.close()


@cache
def worker() -> Worker:
    """Return this process's worker."""
    return Worker(current_process(Kind.WORKER), _slots_of(queues()))


def _slots_of(names: Collection[str]) -> Slots:
    busy = [name for name in busy_queues() if name in names]
    return Slots(settings.WORKER_POOL_SIZE, names, busy=busy)
