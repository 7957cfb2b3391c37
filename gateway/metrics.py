"""What a process counts of its own work, in memory; what lies in rows is read by the sweeper.

Labels have few values: a provider is the queue that works for it (`sandbox`, too), a route is a
pattern of paths. Organizations, keys and prompts are no labels.
"""

from collections.abc import Iterable, Mapping
from typing import Final

from prometheus_client import Counter, Gauge, Histogram

# From a look at a row to the longest deadline.
_SECONDS: Final = (
    *(0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 20.0, 40.0, 80.0, 160.0),
    320.0,
)

REQUESTS = Counter("lienzo_requests", "Requests answered, by route.", ["route", "method", "status"])
REQUEST_DURATION = Histogram(
    "lienzo_request_duration_seconds",
    "From a request's arrival to the end of its answer.",
    ["route"],
    buckets=_SECONDS,
)
ACCEPT_DURATION = Histogram(
    "lienzo_accept_duration_seconds",
    "From a read request for images to the commit of its generation, or its refusal.",
    buckets=_SECONDS,
)
ERRORS = Counter("lienzo_errors", "Errors answered, by code.", ["code"])
WAITING = Gauge(
    "lienzo_waiting_requests",
    "Requests that wait for a generation.",
    multiprocess_mode="livesum",
)
STAGE_DURATION = Histogram(
    "lienzo_stage_duration_seconds",
    "How long the stages of a generation's run took.",
    ["stage", "provider"],
    buckets=_SECONDS,
)
ATTEMPTS = Counter("lienzo_attempts", "Calls to providers that ended.", ["provider", "outcome"])
ATTEMPT_COST = Counter(
    "lienzo_attempt_cost_micros", "What attempts cost us, as booked.", ["provider", "currency"]
)
IMAGES = Counter("lienzo_images", "Images of generations that ended.", ["provider", "outcome"])
SLOTS = Gauge("lienzo_slots", "Generations that this worker may run at once.", ["provider"])
SLOTS_BUSY = Gauge("lienzo_slots_busy", "Generations that this worker runs.", ["provider"])


def begin_at_zero(queues: Iterable[str]) -> None:
    """Show, before the first of them is counted, all that rules look at the increase of.

    A series that appears with its first count has not grown.
    """
    ERRORS.labels("internal_error")
    for kind in ("generations", "edits", "variations"):
        for status in (500, 503):
            REQUESTS.labels(f"/v1/images/{kind}", "POST", status)
    for queue in queues:
        ATTEMPTS.labels(queue, "succeeded")
        ATTEMPT_COST.labels(queue, "USD")
        for outcome in ("delivered", "failed"):
            IMAGES.labels(queue, outcome)


def count_images(queue: str, outcomes: Mapping[str, int]) -> None:
    """Count what became of the images of a generation.

    By whoever has ended it, after the commit: worker, sweeper, or the request that waited for it or
    canceled it.
    """
    for outcome, images in outcomes.items():
        IMAGES.labels(queue, outcome).inc(images)
