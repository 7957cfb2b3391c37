"""Waking workers and announcing results.

Rows are the queue; these messages only save the wait until a process next looks by itself. So each
call is tried once, fails fast, and is skipped for five seconds after a failure.
"""

import logging
from collections.abc import Mapping
from functools import cache
from uuid import UUID

import redis
from celery import current_app
from gevent.lock import BoundedSemaphore
from kombu.exceptions import OperationalError

from core.redis import CoolOff, redis_client

DONE_CHANNEL = "lienzo:done"
logger = logging.getLogger(__name__)


@cache
def _publish_cool_off() -> CoolOff:
    return CoolOff()


@cache
def _publishing() -> BoundedSemaphore:
    return BoundedSemaphore(1)


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
            return False
        try:
            current_app.send_task(
                name, kwargs=dict(arguments or {}), queue=queue, retry=False, ignore_result=True
            )
        except (OperationalError, redis.RedisError, OSError) as error:
            cool_off.trip()
            logger.warning("queue.publish_failed queue=%s error=%s", queue, error)
            return False
    return True


def announce_done(generation_id: UUID) -> None:
    """Tell every web process that a generation has ended. Carries the id only."""
    cool_off = _announce_cool_off()
    if cool_off.is_open():
        return
    try:
        redis_client().publish(DONE_CHANNEL, generation_id.hex)
    except (redis.RedisError, OSError) as error:
        cool_off.trip()
        logger.warning("queue.announce_failed error=%s", error)
