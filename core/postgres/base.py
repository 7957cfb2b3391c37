"""The database backend: `ENGINE = "core.postgres"`.

A connection goes back to its pool before every wait, so it is taken out several times a request.
Django's own health check asks the server each time; here the kernel is asked whether the server
has closed the connection or said anything unexpected, and only then the server.
"""

from typing import Any

import psycopg
from django.db import DEFAULT_DB_ALIAS
from django.db.backends.postgresql import base
from gevent.monkey import get_original
from psycopg import _queries
from psycopg_pool import ConnectionPool

from core.postgres.waits import GreenConnection

# psycopg keeps the parsed form of statements up to these sizes; ours are longer where one does the
# work of several.
_queries.MAX_CACHED_STATEMENT_LENGTH = 16 * 1024
_queries.MAX_CACHED_STATEMENT_PARAMS = 100

_TRIES = 100
_READABLE = 1  # POLLIN; errors and hang-ups are always reported


class DatabaseWrapper(base.DatabaseWrapper):
    """Takes connections out of the pool that have not been closed from the other side."""

    def __init__(self, settings_dict: dict[str, Any], alias: str = DEFAULT_DB_ALIAS) -> None:
        super().__init__(settings_dict, alias)
        pool = settings_dict["OPTIONS"].get("pool")
        if isinstance(pool, dict):
            pool.setdefault("connection_class", GreenConnection)

    def get_new_connection(self, conn_params: dict[str, Any]) -> Any:  # noqa: ANN401 - as Django's
        """Return a connection, from the pool if there is one.

        A dead one found there is given back, closed; the pool replaces it.
        """
        for _ in range(_TRIES):
            connection = super().get_new_connection(conn_params)
            pool = self.pool
            if pool is None or _is_alive(connection):
                return connection
            connection.close()
            pool.putconn(connection)
        raise psycopg.OperationalError("every connection of the pool is dead")


def _is_alive(connection: "psycopg.Connection[Any]") -> bool:
    """Return whether an idle connection can be used; without a wait in the usual case."""
    if connection.closed:
        return False
    # gevent's own `poll` would switch greenlets; a look without a wait needs no cooperation.
    poll = get_original("select", "poll")()
    poll.register(connection.fileno(), _READABLE)
    if not poll.poll(0):
        return True
    try:
        ConnectionPool.check_connection(connection)
    except psycopg.Error:
        return False
    return True
