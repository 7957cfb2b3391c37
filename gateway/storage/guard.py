"""No database connection is held while the network is waited for."""

from core.postgres.connections import forbid_open_transaction, release_connections

__all__ = ["forbid_open_transaction", "release_connections"]
