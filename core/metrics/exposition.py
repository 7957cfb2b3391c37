"""Metrics as text, and what every process shows of itself."""

from prometheus_client import REGISTRY, CollectorRegistry, Gauge, disable_created_metrics
from prometheus_client.exposition import generate_latest

# Else each counter has a second series, its birth, that nobody looks at.
disable_created_metrics()  # type: ignore[no-untyped-call] # as the library has it

BUILD_INFO = Gauge(
    "lienzo_build_info", "The version that runs.", ["version"], multiprocess_mode="livemax"
)


def render(registry: CollectorRegistry = REGISTRY) -> bytes:
    """Return the metrics of a registry, this process's own unless told otherwise."""
    return generate_latest(registry)
