"""Holding database connections: none while the network is waited for, some outside the pool."""

from django.conf import settings
from django.db import DEFAULT_DB_ALIAS, connections


def forbid_open_transaction() -> None:
    """Refuse to go on while this greenlet holds a database connection.

    Called before every call over the network. It checks only where `FORBID_NETWORK_IN_TRANSACTION`
    is set, as it is in tests: a held connection costs throughput, an aborted request costs a user.

    Raises:
        RuntimeError: A transaction or a connection is open.
    """
    if not getattr(settings, "FORBID_NETWORK_IN_TRANSACTION", False):
        return
    for connection in connections.all(initialized_only=True):
        if connection.in_atomic_block:
            raise RuntimeError(f"network call inside a transaction on {connection.alias!r}")
        if connection.connection is not None:
            raise RuntimeError(f"network call with an open connection to {connection.alias!r}")


def release_connections() -> None:
    """Give this greenlet's database connections back, except those inside a transaction."""
    for connection in connections.all(initialized_only=True):
        if not connection.in_atomic_block:
            connection.close()


def use_own_connection() -> None:
    """Give the calling greenlet a connection of its own for as long as it lives.

    Under load hundreds of requests wait for the pool's connections, longer than a lease lasts: a
    heartbeat behind them would come too late, and a busy process would count as dead. The greenlet
    may keep the connection open, and closes it after an error.
    """
    own = connections[DEFAULT_DB_ALIAS].copy()
    own.settings_dict["OPTIONS"].pop("pool", None)
    connections[DEFAULT_DB_ALIAS] = own
