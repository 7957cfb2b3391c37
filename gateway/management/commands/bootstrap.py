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

# Round figures for trying out, marked as such; real rates come by `set_fx_rate`.
OTHER_PROCESSES = 2  # worker and sweeper
SAMPLE_RATES = (("USD", "MXN", "20"), ("USD", "EUR", "0.92"))


class Command(ServiceCommand):
    help = "Publish the catalog's prices and costs; create the buckets. Safe at every start."

    def run(self, *, options: dict[str, Any], at: datetime) -> tuple[str, dict[str, object]]:
        _check_connections()
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


def _check_connections() -> None:
    """Check that this host's pools fit into what Postgres allows.

    Raises:
        CommandError: They do not, so that requests would fail under load.
    """
    with connection.cursor() as cursor:
        cursor.execute("SHOW max_connections")
        allowed = int(cursor.fetchone()[0])
    processes = int(os.environ.get("WEB_PROCESSES", "2")) + OTHER_PROCESSES
    needed = processes * settings.DATABASE_POOL_SIZE
    if needed > allowed:
        raise CommandError(
            f"{processes} processes with DATABASE_POOL_SIZE={settings.DATABASE_POOL_SIZE} may open"
            f" {needed} connections; Postgres allows {allowed}. Lower one or raise the other."
        )


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
