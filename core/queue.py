"""Waking workers and announcing results.

Rows are the queue; these messages only save the wait until a process next looks by itself. So each
call is tried once, fails fast, and is skipped for five seconds after a failure.
"""

import contextlib
import logging
import threading
from collections.abc import Iterator, Mapping
from functools import cache
from typing import Any
from uuid import UUID, uuid4

import gevent
import redis
from celery import current_app
from kombu import Connection, Exchange
from kombu.exceptions import OperationalError
from prometheus_client import Counter

from core.redis import CoolOff, redis_client
from core.telemetry.spans import SpanKind, span

DONE_CHANNEL = "lienzo:done"
PUBLISH_TIMEOUT_S = 2.5
EXPIRES_S = 60
_PROBE_TIMEOUT_S = 2
_GOODBYE_S = 0.5
PUBLISH_FAILURES = Counter(
    "lienzo_broker_failures", "Messages to workers that the broker did not take."
)
logger = logging.getLogger(__name__)


@cache
def _publish_cool_off() -> CoolOff:
    return CoolOff()


@cache
def _publishing() -> threading.Lock:
    """Return a lock of greenlets where gevent has patched, and of threads elsewhere."""
    return threading.Lock()


@cache
def _announce_cool_off() -> CoolOff:
    return CoolOff()


def send_task(name: str, queue: str, arguments: Mapping[str, str] | None = None) -> bool:
    """Publish a task by name at once; return whether the broker took it."""
    cool_off = _publish_cool_off()
    # One at a time: while the broker is frozen one caller waits for its time-out, the others then
    # find the cool-off.
    with _publishing():
        if cool_off.is_open():
            PUBLISH_FAILURES.inc()
            return False
        try:
            with span(f"publish {queue}", _message_to(queue), kind=SpanKind.PRODUCER):
                _publish(name, queue, dict(arguments or {}))
        except (OperationalError, redis.RedisError, OSError) as error:
            cool_off.trip()
            PUBLISH_FAILURES.inc()
            logger.warning("queue.publish_failed queue=%s error=%s", queue, error)
            return False
    return True


def is_broker_up() -> bool:
    """Return whether the broker answers, on a connection made for this."""
    try:
        with current_app.connection_for_write() as broker:
            broker.ensure_connection(max_retries=1, interval_start=0, timeout=_PROBE_TIMEOUT_S)
    except (OperationalError, redis.RedisError, OSError) as error:
        logger.warning("queue.probe_failed error=%s", error)
        return False
    return True


@cache
def _message_to(queue: str) -> Mapping[str, str]:
    """Return what a span says of a message."""
    return {
        "messaging.system": "celery",
        "messaging.destination.name": queue,
        "messaging.operation.name": "publish",
        "messaging.operation.type": "send",
    }


@cache
def _headers(name: str) -> Mapping[str, Any]:
    """Return what Celery puts beside the arguments of a task, whose id is yet to be set."""
    message = current_app.amqp.create_task_message("", name, (), {}, ignore_result=True)
    headers: Mapping[str, Any] = message.headers
    return headers


def _publish(name: str, queue: str, arguments: Mapping[str, str]) -> None:
    """Publish as Celery's `send_task` does, for half its CPU.

    Left out are routing, signals and the declaration of the queue, which its workers have made: a
    message that comes before the first of them may be dropped, as that one looks by itself.
    """
    task_id = str(uuid4())
    producer: Any
    with (
        current_app.producer_pool.acquire(block=True) as producer,
        _given_up_when_failed(producer.connection),
        producer.connection._reraise_as_library_errors(),  # noqa: SLF001 - as Celery does
    ):
        producer.publish(
            # Protocol 2 of Celery's messages: positional and named arguments, and what follows.
            ((), arguments, {"callbacks": None, "errbacks": None, "chain": None, "chord": None}),
            exchange="",
            routing_key=queue,
            serializer="json",
            headers={**_headers(name), "id": task_id, "root_id": task_id},
            correlation_id=task_id,
            reply_to="",
            retry=False,
            delivery_mode=Exchange.TRANSIENT_DELIVERY_MODE,
            # By then every worker has looked by itself, and beat has sent its own again. RabbitMQ
            # drops it where nobody takes it; Redis keeps it.
            expiration=EXPIRES_S,
        )


@contextlib.contextmanager
def _given_up_when_failed(connection: Connection) -> Iterator[None]:
    """Close a connection that failed or takes too long; whoever publishes next opens another.

    RabbitMQ's client waits without a time-out for a channel to open, and kombu (5.7), which sees
    the failure next, for the broker's consent to the end of the connection, unless that is gone by
    then: a broker that froze would hold the caller, and all who wait for the lock.
    """
    try:
        with gevent.Timeout(PUBLISH_TIMEOUT_S, TimeoutError("The broker takes too long.")):
            yield
    except (OperationalError, OSError):
        # Nothing is sent, but over TLS the client first waits for the broker's goodbye.
        with gevent.Timeout(_GOODBYE_S, TimeoutError("The broker says no goodbye.")):
            connection.collect()
        raise


def announce_done(generation_id: UUID) -> None:
    """Tell every web process that a generation has ended. Carries the id only."""
    _announce(generation_id.hex)


def announce_partials(generation_id: UUID, count: int) -> None:
    """Tell every web process how many partial images of a generation are stored."""
    _announce(f"{generation_id.hex}:{count}")


def _announce(text: str) -> None:
    cool_off = _announce_cool_off()
    if cool_off.is_open():
        return
    try:
        redis_client().publish(DONE_CHANNEL, text)
    except (redis.RedisError, OSError) as error:
        cool_off.trip()
        logger.warning("queue.announce_failed error=%s", error)
