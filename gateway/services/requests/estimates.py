"""How long a generation will still take, from what its model's calls have taken lately."""

import math
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from gateway.catalog.registry import catalog
from gateway.health import recent
from gateway.selectors.queue import Standing, standing_of
from gateway.types import GenerationView

# Workers look for work every two seconds; what has waited longer finds no free slot. Of a burst
# some may find one.
SATURATED_AFTER: Final = timedelta(seconds=3)
BURST: Final = 100
SHORTEST_POLL_S: Final = 1
LONGEST_POLL_S: Final = 60


@dataclass(frozen=True, slots=True)
class Estimate:
    """What can be said of a generation before its end.

    Attributes:
        queue_position: From 1; None once it runs.
        seconds: Until its end, at least one.
    """

    queue_position: int | None
    seconds: int

    @property
    def poll_after_s(self) -> int:
        """Return when to look again: after half of what is left."""
        return min(max(math.ceil(self.seconds / 2), SHORTEST_POLL_S), LONGEST_POLL_S)


def estimate(*, view: GenerationView, now: datetime) -> Estimate | None:
    """Estimate when a generation will end; None for one that has ended.

    Measured durations of the model's calls count, or those of the catalog until enough are known.
    """
    if view.is_terminal:
        return None
    model = catalog().find(view.model)
    p50_s, p95_s = (0, 0) if model is None else recent().measured(now).latency_of(model)
    standing = standing_of(generation_id=view.id)
    if standing.position is None:
        elapsed_s = (now - (standing.started_at or now)).total_seconds()
        left_s = (p50_s if elapsed_s < p50_s else p95_s) - elapsed_s
    else:
        left_s = p50_s * (1 + _rounds(standing, now))
    left_s = min(left_s, (view.deadline_at - now).total_seconds())
    return Estimate(standing.position, max(math.ceil(left_s), 1))


def _rounds(standing: Standing, now: datetime) -> int:
    """Return how many calls must end one after another before this one's turn."""
    if standing.position is None:
        return 0
    waited = now - (standing.oldest_at or now)
    if waited < SATURATED_AFTER and standing.position <= BURST:
        return 0
    return math.ceil(standing.position / max(standing.running, 1))
