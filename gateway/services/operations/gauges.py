"""What the sweeper shows of the platform: gauges of rows, and whether its services answer."""

import logging
from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Final

from django.db import DatabaseError, InterfaceError, connection, transaction
from prometheus_client.metrics_core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from billing.selectors.reports.gauges import read_gauges as read_billing
from core.clock import now as clock_now
from core.metrics.gauges import Gauges, Repeated
from core.queue import is_broker_up
from gateway.models import Finding
from gateway.selectors.operations.gauges import read_gauges as read_gateway
from gateway.services.operations.findings import SEVERITIES, Kind
from gateway.services.routing import queues
from gateway.storage import is_storage_up
from orgs.selectors.outbox import read_gauges as read_outbox

EVERY_S: Final = 10.0
# One reading may come late; two that fail to come say that something is stuck.
FRESH_FOR_S: Final = 30.0
_TIMEOUT: Final = "SET LOCAL statement_timeout = '5s'"
_PROVIDER: Final = ("provider",)

FAMILIES: Final[Mapping[str, tuple[str, tuple[str, ...]]]] = {
    "lienzo_queue_length": ("Generations that wait.", _PROVIDER),
    "lienzo_queue_age_seconds": ("How long the oldest of them has waited.", _PROVIDER),
    "lienzo_limit_reached": ("1 while some wait since the provider's limit is full.", _PROVIDER),
    "lienzo_running": ("Generations that run.", _PROVIDER),
    "lienzo_breaker_open": ("1 while the provider's breaker is open or probing.", _PROVIDER),
    "lienzo_provider_paused": ("1 while an operator keeps calls away.", _PROVIDER),
    "lienzo_open_holds": ("Holds that are neither captured nor released.", ()),
    "lienzo_hold_age_seconds": ("Age of the oldest of them.", ()),
    "lienzo_overdue_holds": ("Those more than 60 s past their deadline.", ()),
    "lienzo_findings": ("Findings that nobody has acknowledged.", ("kind", "severity")),
    "lienzo_ledger_check_age_seconds": ("Since the check of the ledger ended.", ()),
    "lienzo_ledger_violations": ("What it found, acknowledged or not.", ()),
    "lienzo_processes": ("Processes with a living lease.", ("kind",)),
    "lienzo_tasks_age_seconds": ("Since a worker did what is due every 20 s.", ()),
    "lienzo_sweeper_pass_age_seconds": ("Since a sweeper ended a pass.", ()),
    "lienzo_webhooks_pending": ("Deliveries that are due or wait for their next try.", ()),
    "lienzo_webhook_age_seconds": ("How long the oldest one that is due has been.", ()),
    "lienzo_mail_age_seconds": (
        "How long mail is due, or its server takes none.",
        (),
    ),
    "lienzo_fx_rate": ("Units of the second currency for one of the first.", ("pair",)),
    "lienzo_fx_rate_age_seconds": ("Age of the published rate in force.", ("pair",)),
    "lienzo_provider_cost_micros": (
        "What providers' calls of today, in UTC, cost.",
        ("provider", "currency"),
    ),
    "lienzo_revenue_micros": ("What today's images, in UTC, were charged.", ("currency",)),
    "lienzo_unmatched_payments": ("Money that fits no payment, not resolved.", ()),
    "lienzo_database_connections": ("Connections to the database, everybody's.", ()),
    "lienzo_database_max_connections": ("The most that the server takes.", ()),
    "lienzo_backup_age_seconds": ("Since a backup was taken.", ()),
}
logger = logging.getLogger(__name__)


def read_rows(*, now: datetime) -> Gauges:
    """Return all gauges of rows, read in one short transaction.

    Raises:
        DatabaseError, InterfaceError: They could not be read in time.
    """
    kinds = [(kind.value, str(SEVERITIES.get(kind, Finding.Severity.WARNING))) for kind in Kind]
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(_TIMEOUT)
        return {
            **read_gateway(queues=queues(), findings=kinds, now=now),
            **read_billing(now=now),
            **read_outbox(now=now),
        }


def read_or_tell() -> Gauges | None:
    """Do as `read_rows`, now; None if the database is away. Gives the connection back."""
    try:
        return read_rows(now=clock_now())
    except (DatabaseError, InterfaceError) as error:
        logger.warning("metrics.read_failed error=%s", error)
        return None
    finally:
        connection.close()


class PlatformCollector(Collector):
    """Shows what was read last."""

    def __init__(self) -> None:
        self.rows = Repeated(read_or_tell, every_s=EVERY_S, fresh_for_s=FRESH_FOR_S)
        # Each by itself: one that is stuck says nothing of the others.
        self.services = {
            "lienzo_broker_up": Repeated(is_broker_up, every_s=EVERY_S, fresh_for_s=FRESH_FOR_S),
            "lienzo_storage_up": Repeated(is_storage_up, every_s=EVERY_S, fresh_for_s=FRESH_FOR_S),
        }

    def start(self) -> None:
        """Begin to read."""
        self.rows.start()
        for service in self.services.values():
            service.start()

    def collect(self) -> Iterator[Metric]:
        """Yield the gauges; without the database only that it is away."""
        gauges = self.rows.recent()
        yield _one("lienzo_database_up", "1 if the gauges of rows could be read.", gauges)
        for name, service in self.services.items():
            yield _one(name, "1 if it answers the sweeper.", service.recent())
        for name, values in (gauges or {}).items():
            words, labels = FAMILIES[name]
            family = GaugeMetricFamily(name, words, labels=labels)
            for of, value in values.items():
                family.add_metric(of, float(value))
            yield family

    def describe(self) -> Iterator[Metric]:
        """Yield the names; what is registered must not be read for that."""
        for name, (words, labels) in FAMILIES.items():
            yield GaugeMetricFamily(name, words, labels=labels)


def _one(name: str, words: str, answer: object) -> GaugeMetricFamily:
    return GaugeMetricFamily(name, words, value=1 if answer else 0)
