"""Connections outside the pool, for the few greenlets that must not queue for one."""

from django.db import DEFAULT_DB_ALIAS, connections


def use_own_connection() -> None:
    """Give the calling greenlet a connection of its own for as long as it lives.

    Under load hundreds of requests wait for the pool's connections, longer than a lease lasts: a
    heartbeat behind them would come too late, and a busy process would count as dead. The greenlet
    may keep the connection open, and closes it after an error.
    """
    own = connections[DEFAULT_DB_ALIAS].copy()
    own.settings_dict["OPTIONS"].pop("pool", None)
    connections[DEFAULT_DB_ALIAS] = own
