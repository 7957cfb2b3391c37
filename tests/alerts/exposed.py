"""What the product's processes expose, of this process and its database."""

import re

from prometheus_client import CollectorRegistry

import core.telemetry.tracing  # noqa: F401 - declares what is counted of traces
import gateway.metrics  # noqa: F401 - declares what web and worker count
from core.clock import now
from core.metrics.exposition import render
from core.metrics.gauges import Repeated
from gateway.services.operations.gauges import (
    EVERY_S,
    FAMILIES,
    FRESH_FOR_S,
    PlatformCollector,
    read_rows,
)


def own_exposition() -> str:
    """Return what this process exposes of itself."""
    return render().decode()


def show(collector: PlatformCollector) -> str:
    """Return what a sweeper exposes that has read everything just now."""
    collector.rows.read_now()
    for service in collector.services.values():
        service.read_now()
    registry = CollectorRegistry()
    registry.register(collector)
    return render(registry).decode()


def expose_platform() -> str:
    """Return what a sweeper exposes of the rows that the caller's transaction sees."""
    collector = PlatformCollector()
    collector.rows = Repeated(
        lambda: read_rows(now=now()), every_s=EVERY_S, fresh_for_s=FRESH_FOR_S
    )
    return show(collector)


def exposed_names() -> set[str]:
    """Return every metric that some process exposes."""
    registry = CollectorRegistry()
    registry.register(PlatformCollector())
    texts = own_exposition() + render(registry).decode()
    return {*FAMILIES, *re.findall(r"^# TYPE (\w+)", texts, re.MULTILINE)}
