"""Connections that tell a request that never left from one that may have been received."""

import socket
import ssl
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.client import HTTPException
from typing import Any

from requests.adapters import HTTPAdapter
from urllib3 import exceptions
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.connectionpool import HTTPConnectionPool, HTTPSConnectionPool
from urllib3.response import HTTPResponse

from core.http.deadline import DeadlineTimer
from core.http.errors import HttpError, connect_failed
from core.http.guard import Guard

# Servers and load balancers keep idle connections for a minute or more (seen 2026-11); one that was
# closed while the next request was on its way would leave that request's outcome unknown.
_IDLE_S_MAX = 20.0


@contextmanager
def _before_sent(host: str) -> Iterator[None]:
    """Turn every failure inside into one that says "not processed"."""
    try:
        yield
    except DeadlineTimer as timer:
        timer.sent = False
        raise
    except HttpError:
        raise
    except (OSError, HTTPException, exceptions.HTTPError, ValueError) as error:
        # ValueError: text in a header or host name that cannot be encoded.
        words = f"{host}: {type(error).__name__} before the request was sent"
        raise connect_failed(words, error) from error


class _Tracking(HTTPConnection):
    """Marks failures of its connect and send phases; not reused after a long idle time."""

    _used_at = 0.0

    def connect(self) -> None:
        with _before_sent(self.host):
            super().connect()

    def request(self, *args: Any, **kwargs: Any) -> None:  # noqa: ANN401 - urllib3's own signature
        with _before_sent(self.host):
            try:
                super().request(*args, **kwargs)
            except (BrokenPipeError, ConnectionResetError) as error:
                # The server may have answered before it had read everything: urllib3 reads that
                # answer.
                broken = error
            else:
                return
        raise broken

    def getresponse(self) -> HTTPResponse:  # type: ignore[override]  # as urllib3's own
        response = super().getresponse()
        self._used_at = time.monotonic()
        return response

    @property
    def is_connected(self) -> bool:
        return super().is_connected and time.monotonic() - self._used_at < _IDLE_S_MAX


class _TrackingTLS(_Tracking, HTTPSConnection):
    """As `_Tracking`, over TLS."""


class _Pool(HTTPConnectionPool):
    ConnectionCls = _Tracking


class _TLSPool(HTTPSConnectionPool):
    ConnectionCls = _TrackingTLS


def _guarded_pools(guard: Guard) -> dict[str, type[HTTPConnectionPool]]:
    """Return pool classes whose connections are opened by `guard`.

    TLS still verifies the host name of the URL: only where the socket leads to is the guard's
    choice.
    """

    class Guarded(_Tracking):
        def _new_conn(self) -> socket.socket:
            return _guarded_socket(self, guard)

    class GuardedTLS(_TrackingTLS):
        def _new_conn(self) -> socket.socket:
            return _guarded_socket(self, guard)

    class GuardedPool(HTTPConnectionPool):
        ConnectionCls = Guarded

    class GuardedTLSPool(HTTPSConnectionPool):
        ConnectionCls = GuardedTLS

    return {"http": GuardedPool, "https": GuardedTLSPool}


def _guarded_socket(connection: HTTPConnection, guard: Guard) -> socket.socket:
    timeout = connection.timeout
    seconds = timeout if isinstance(timeout, int | float) else None
    port = connection.port or connection.default_port
    return guard.dial(connection.host, port, seconds)


class PooledAdapter(HTTPAdapter):
    """The transport of one session: tracking connections, no retries of its own.

    One TLS context serves all connections: loading the authorities for each would cost some 20 ms
    of CPU.
    """

    def __init__(self, *, size: int, tls: ssl.SSLContext, guard: Guard | None = None) -> None:
        self._tls = tls
        self._guard = guard
        super().__init__(pool_connections=32, pool_maxsize=size)

    def init_poolmanager(
        self,
        connections: int,
        maxsize: int,
        block: bool = False,  # noqa: FBT001, FBT002 - requests' own signature
        **pool_kwargs: Any,  # noqa: ANN401 - requests' own signature
    ) -> None:
        """Use the one TLS context and the tracking pools."""
        super().init_poolmanager(
            connections, maxsize, block=block, ssl_context=self._tls, **pool_kwargs
        )
        self.poolmanager.pool_classes_by_scheme = (
            {"http": _Pool, "https": _TLSPool}
            if self._guard is None
            else _guarded_pools(self._guard)
        )

    def cert_verify(self, conn: Any, url: Any, verify: Any, cert: Any) -> None:  # noqa: ANN401 - as above
        """Leave verification to the context, which always verifies."""
