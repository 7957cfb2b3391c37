"""Knowing whether the caller is still there, and whether the answer reached them."""

import logging
import os
import socket
from collections.abc import Callable, Iterable, Iterator
from functools import cache
from typing import Protocol
from uuid import UUID

import gevent
from django.db import DatabaseError, connection
from django.http import HttpRequest
from gevent.event import Event

from core.clock import now
from gateway.services.requests.adoption import close_connection, mark_answered

FLUSH_EVERY_S = 0.05
HANG_UP_TRIES = 600
HANG_UP_PAUSE_S = 0.5
READABLE = 1  # libev's EV_READ
logger = logging.getLogger(__name__)


class _Watcher(Protocol):
    def start(self, callback: Callable[[], None]) -> None: ...
    def stop(self) -> None: ...
    def close(self) -> None: ...


class ClientSocket:
    """The socket of one request.

    gunicorn hands it over; under another server there is none, and the caller counts as present.
    """

    def __init__(self, request: HttpRequest) -> None:
        found = request.META.get("gunicorn.socket")
        self._socket: socket.socket | None = found if hasattr(found, "fileno") else None
        self._watcher: _Watcher | None = None

    def watch(self, event: Event) -> None:
        """Set `event` when the caller hangs up while the request is parked.

        A libev watcher in the hub: no greenlet, and nothing read from the socket.
        """
        if self._socket is None or self._socket.fileno() < 0:
            return
        watcher: _Watcher = gevent.get_hub().loop.io(self._socket.fileno(), READABLE)
        self._watcher = watcher

        def readable() -> None:
            watcher.stop()
            if self.is_closed():
                event.set()
            # Else the next request was pipelined: a hang-up is seen when the answer is written.

        watcher.start(readable)

    def unwatch(self) -> None:
        """Stop watching."""
        if self._watcher is not None:
            self._watcher.stop()
            self._watcher.close()
            self._watcher = None

    def is_closed(self) -> bool:
        """Return whether the caller has hung up, by peeking."""
        state = self._peek()
        return state is not None and state == "ended"

    def was_reset(self) -> bool:
        """Return whether the caller's side discarded what was sent.

        A caller who closes after reading everything ends the stream cleanly; one who closed with
        unread data, or before it arrived, answers it with a reset.
        """
        return self._peek() == "reset"

    def _peek(self) -> str | None:
        if self._socket is None:
            return None
        descriptor = self._socket.fileno()
        if descriptor < 0:
            return "reset"
        # A second object on a duplicate, because gevent's own would wait for data.
        duplicate = socket.socket(fileno=os.dup(descriptor))
        try:
            duplicate.settimeout(0)
            data = duplicate.recv(1, socket.MSG_PEEK | socket.MSG_DONTWAIT)
        except BlockingIOError:
            return "open"
        except OSError:
            return "reset"
        finally:
            duplicate.close()
        return "open" if data else "ended"


class AnswerRecorder:
    """Collects answered generations of this process and writes them in batches.

    A crash within the 50 ms before a write leaves an answered call marked undelivered; a resend of
    it then gets the same images again, free of charge.
    """

    def __init__(self) -> None:
        self._answered: list[UUID] = []
        self._flushing = False

    def record(self, generation_id: UUID) -> None:
        """Note that the answer was delivered."""
        self._answered.append(generation_id)
        if not self._flushing:
            self._flushing = True
            gevent.spawn_later(FLUSH_EVERY_S, self._flush)

    def _flush(self) -> None:
        self._flushing = False
        answered, self._answered = self._answered, []
        try:
            mark_answered(generation_ids=answered, now=now())
        except DatabaseError as error:
            logger.warning("delivery.record_failed count=%s error=%s", len(answered), error)
        finally:
            connection.close()


@cache
def answer_recorder() -> AnswerRecorder:
    """Return this process's recorder."""
    return AnswerRecorder()


class DeliveredBody:
    """A response body that records, after its last byte, whether the caller got it."""

    def __init__(
        self,
        chunks: Iterable[bytes],
        *,
        client: ClientSocket,
        generation_id: UUID,
        connection_id: UUID,
    ) -> None:
        self._chunks = chunks
        self._client = client
        self._generation_id = generation_id
        self._connection_id = connection_id
        self._gone_before = False
        self._complete = False

    def __iter__(self) -> Iterator[bytes]:
        """Yield the body, looking before each chunk whether the caller is still there."""
        for chunk in self._chunks:
            self._gone_before = self._client.is_closed()
            yield chunk
        self._complete = True

    def close(self) -> None:
        """Record the outcome; the server calls this after the last byte, or after it gave up."""
        close_chunks = getattr(self._chunks, "close", None)
        if close_chunks is not None:
            close_chunks()
        delivered = self._complete and not self._gone_before and not self._client.was_reset()
        if delivered:
            answer_recorder().record(self._generation_id)
            return
        record_hang_up(self._generation_id, self._connection_id)


def record_hang_up(generation_id: UUID, connection_id: UUID) -> None:
    """Note that the caller has gone without an answer, so that a resend may adopt it."""
    if not _try_to_record(generation_id, connection_id):
        record_hang_up_eventually(generation_id, connection_id)


def record_hang_up_eventually(generation_id: UUID, connection_id: UUID) -> None:
    """Do as `record_hang_up` in the background, through an outage of the database."""
    gevent.spawn(_record_for_ever, generation_id, connection_id)


def _record_for_ever(generation_id: UUID, connection_id: UUID) -> None:
    for _ in range(HANG_UP_TRIES):
        if _try_to_record(generation_id, connection_id):
            return
        gevent.sleep(HANG_UP_PAUSE_S)


def _try_to_record(generation_id: UUID, connection_id: UUID) -> bool:
    try:
        close_connection(generation_id=generation_id, connection_id=connection_id, now=now())
    except DatabaseError as error:
        logger.warning("delivery.hang_up_failed generation=%s error=%s", generation_id, error)
        return False
    finally:
        connection.close()
    return True
