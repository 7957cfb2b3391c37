"""Waiting for generations to end, many at once in one web process.

One subscription carries the ids of generations that have ended or have a new partial image; every
two seconds one query serves all waiters, so a dead or frozen Valkey delays an answer and loses
none. A waiting request is a parked greenlet: it holds no database connection.
"""

import logging
from collections import defaultdict
from functools import cache
from uuid import UUID

import gevent
import redis
from django.db import DatabaseError, connection
from django.db.models import Q
from gevent.event import Event

from core.postgres.connections import use_own_connection
from core.queue import DONE_CHANNEL
from core.redis import redis_client
from gateway.metrics import WAITING
from gateway.models import Generation

POLL_EVERY_S = 2.0
LISTEN_FOR_S = 0.4
RECONNECT_AFTER_S = 1.0
logger = logging.getLogger(__name__)


class WaitingRoom:
    """The requests of this process that wait, by generation."""

    def __init__(self) -> None:
        self._waiting: defaultdict[UUID, list[Event]] = defaultdict(list)
        self._awaited: dict[Event, UUID] = {}
        self._partials: dict[UUID, int] = {}
        self._started = False

    def enter(self, generation_id: UUID) -> Event:
        """Register before the generation can end; the event is set once it has ended.

        It is set for each new partial image, too.
        """
        if not self._started:
            self._started = True
            gevent.spawn(self._listen_for_ever)
            gevent.spawn(self._poll_for_ever)
        event = Event()
        self._waiting[generation_id].append(event)
        self._awaited[event] = generation_id
        WAITING.inc()
        return event

    def move(self, event: Event, generation_id: UUID) -> None:
        """Wait for another generation instead: the one this request turned out to mean."""
        self._forget(event)
        self._waiting[generation_id].append(event)
        self._awaited[event] = generation_id

    def leave(self, event: Event) -> None:
        """Stop waiting."""
        self._forget(event)
        WAITING.dec()

    def partials(self, generation_id: UUID) -> int:
        """Return how many partial images are known to be stored while somebody waits."""
        return self._partials.get(generation_id, 0)

    def wake(self, generation_id: UUID) -> None:
        """Wake everyone who waits for a generation."""
        for event in self._waiting.get(generation_id, ()):
            event.set()

    def show_partials(self, generation_id: UUID, count: int) -> None:
        """Wake everyone who waits for a generation if there are more partial images than known."""
        if generation_id in self._waiting and count > self.partials(generation_id):
            self._partials[generation_id] = count
            self.wake(generation_id)

    def _forget(self, event: Event) -> None:
        generation_id = self._awaited.pop(event)
        events = self._waiting[generation_id]
        events.remove(event)
        if not events:
            del self._waiting[generation_id]
            self._partials.pop(generation_id, None)

    def _listen_for_ever(self) -> None:
        while True:
            try:
                with redis_client().pubsub(  # type: ignore[no-untyped-call]
                    ignore_subscribe_messages=True
                ) as subscription:
                    subscription.subscribe(DONE_CHANNEL)
                    while True:
                        self._take(subscription.get_message(timeout=LISTEN_FOR_S))
            except (redis.RedisError, OSError) as error:
                logger.warning("waiting.subscription_lost error=%s", error)
                gevent.sleep(RECONNECT_AFTER_S)

    def _take(self, message: dict[str, object] | None) -> None:
        data = message.get("data") if message else None
        if not isinstance(data, bytes):
            return
        digits, _, count = data.decode("ascii", "replace").partition(":")
        try:
            generation_id = UUID(hex=digits)
            if count:
                self.show_partials(generation_id, int(count))
            else:
                self.wake(generation_id)
        except ValueError:
            logger.warning("waiting.message_malformed")

    def _poll_for_ever(self) -> None:
        use_own_connection()
        while True:
            gevent.sleep(POLL_EVERY_S)
            if not self._waiting:
                continue
            try:
                news = list(
                    Generation.objects.filter(
                        Q(finished_at__isnull=False) | Q(partials__gt=0),
                        id__in=list(self._waiting),
                    ).values_list("id", "finished_at", "partials")
                )
            except DatabaseError as error:
                logger.warning("waiting.poll_failed error=%s", error)
                connection.close()
                continue
            for generation_id, finished_at, partials in news:
                self.show_partials(generation_id, partials)
                if finished_at is not None:
                    self.wake(generation_id)


@cache
def waiting_room() -> WaitingRoom:
    """Return this process's waiting room."""
    return WaitingRoom()
