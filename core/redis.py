"""The client for Valkey or Redis, tuned to fail fast: nothing here may hold a request up.

Read 2026-11 on redis-py 8: with its defaults a frozen server held `incr` for 58 seconds.
"""

import time
from functools import cache

import redis
from django.conf import settings
from redis.backoff import NoBackoff
from redis.retry import Retry

SOCKET_TIMEOUT_S = 0.5
COOL_OFF_S = 5.0


@cache
def redis_client() -> redis.Redis:
    """Return this process's client; its pool opens connections as they are needed."""
    return redis.Redis.from_url(
        settings.REDIS_URL,
        socket_timeout=SOCKET_TIMEOUT_S,
        socket_connect_timeout=SOCKET_TIMEOUT_S,
        retry=Retry(NoBackoff(), 0),
        retry_on_timeout=False,
        health_check_interval=10,
    )


class CoolOff:
    """Skips an optional call for `COOL_OFF_S` after it failed."""

    def __init__(self) -> None:
        self._until = 0.0

    def is_open(self) -> bool:
        """Return whether calls are skipped at present."""
        return time.monotonic() < self._until

    def trip(self) -> None:
        """Skip calls for a while."""
        self._until = time.monotonic() + COOL_OFF_S
