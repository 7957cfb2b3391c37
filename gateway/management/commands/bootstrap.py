"""Bring a migrated database and empty storage to where requests can be served."""

import os
from datetime import datetime
from decimal import Decimal
from typing import Any

from django.conf import settings
from django.core.management.base import CommandError
from django.db import connection

from billing.selectors.fx import has_rate
from billing.services.fx import set_rate
from billing.services.prices import sync_list_prices
from billing.types import PriceRow
from core.commands import ServiceCommand
from gateway.catalog.prices import ListPrice, list_prices
from gateway.services.pricebook.costs import cost_rows
from gateway.storage import ensure_buckets, release_connections

# What each process holds beside its pool: for waiting requests, leases and the sweeper's lock.
OWN_CONNECTIONS = {"web": 2, "worker": 1, "sweeper": 1, "dispatcher": 0, "beat": 0}
# Round figures for trying out, marked as such; real rates come by `set_fx_rate`.
SAMPLE_RATES = (("USD", "MXN", "20"), ("USD", "EUR", "0.92"))


class Command(ServiceCommand):
    help = "Publish the catalog's prices and costs; create the buckets. Safe at every start."

    def run(self, *, options: dict[str, Any], at: datetime) -> tuple[str, dict[str, object]]:
        self.check_connections()
        rows = [*(price_row(price) for price in list_prices()), *cost_rows()]
        published = sync_list_prices(rows=rows, now=at)
        sampled = 0
        if settings.EMBEDDED:
            for base, quote, rate in SAMPLE_RATES:
                if not has_rate(base=base, quote=quote):
                    set_rate(
                        base=base,
                        quote=quote,
                        rate=Decimal(rate),
                        source="sample",
                        as_of=at,
                        now=at,
                    )
                    sampled += 1
        release_connections()
        ensure_buckets()
        fields: dict[str, object] = {"prices": published, "sample_rates": sampled}
        return f"Published {published} prices and {sampled} sample rates; buckets exist.", fields

    def check_connections(self) -> None:
        """Check that the connections of one host, with one process of each, fit into Postgres.

        Raises:
            CommandError: They do not, so that requests would fail under load.
        """
        size = settings.DATABASE_POOL_SIZE
        if not size:
            return
        counts = {"web": int(os.environ.get("WEB_PROCESSES", "2"))}
        held = {
            process: counts.get(process, 1) * (size + own)
            for process, own in OWN_CONNECTIONS.items()
        }
        allowed = _allowed_connections()
        needed = sum(held.values())
        # Of those that a restart replaces one after another, both hold theirs for a while.
        at_a_restart = needed + max(held.values())
        told = (
            f"With DATABASE_POOL_SIZE={size} the processes of one host hold up to {needed}"
            f" connections, and {at_a_restart} while they are restarted; Postgres allows {allowed}."
            " Lower the one, raise max_connections, or put a pooler between."
        )
        if needed > allowed:
            raise CommandError(told)
        if at_a_restart > allowed:
            self.stderr.write(f"warning: {told}")


def _allowed_connections() -> int:
    """Return how many connections Postgres allows, less those that it keeps for superusers."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT sum(CASE name WHEN 'max_connections' THEN 1 ELSE -1 END * setting::integer)"
            " FROM pg_settings WHERE name IN ('max_connections', 'reserved_connections',"
            " 'superuser_reserved_connections')"
        )
        return int(cursor.fetchone()[0])


def price_row(price: ListPrice) -> PriceRow:
    """Return a catalog price as the price book takes it."""
    return PriceRow(
        kind="list",
        model_key=price.key,
        amount=price.amount,
        currency="USD",
        source=price.source,
        source_date=price.source_date,
        unit=price.unit,
        size=price.size or "",
        quality=price.quality or "",
        base_amount=price.base_amount,
        base_pixels=price.base_pixels,
        input_amount=price.input_amount,
    )
