"""What earlier claims of a generation left: images, costs, and calls that may still give images."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from gateway.models import Attempt
from gateway.services.runs.progress import WITHHELD, Made, Progress
from gateway.types import Failure

MILLION = Decimal(1_000_000)
WORKER_LOST = "worker_lost"
# A call of unknown outcome is repeated once at most.
LOST_CALLS_MAX = 1
LOST = Failure(
    code="provider_unavailable",
    category="unavailable",
    message=(
        "The server was interrupted while the provider worked, and it is not known whether the"
        " provider finished. You were not charged. Try again."
    ),
    retryable=True,
    retry_after_s=1,
)


@dataclass(frozen=True, slots=True)
class History:
    """A generation's past.

    Attributes:
        left_behind: Open attempts whose upstream job is known and can be collected.
        spent: USD, all attempts together.
        lost: USD, the attempts that gave no images.
    """

    progress: Progress
    left_behind: list[Attempt]
    spent: Decimal
    lost: Decimal
    attempts: int


def read_history(
    attempts: Sequence[Attempt],
    *,
    n: int,
    created_at: datetime,
    deadline_at: datetime,
    now: datetime,
) -> History:
    """Sum up a generation's attempts.

    Images whose call ended with its worker are given up when that happened twice, or when half of
    the generation's time is over; the provider may have been paid for them.
    """
    progress = Progress(n)
    left_behind = []
    unknown: Counter[int] = Counter()
    for attempt in attempts:
        if attempt.result is not None:
            made = Made.from_json(attempt.result)
            progress.add(made, attempt.indexes)
        elif attempt.moderated:
            progress.give_up(attempt.moderated, WITHHELD)
        elif attempt.finished_at is None and attempt.upstream_id:
            left_behind.append(attempt)
        elif attempt.error_code == WORKER_LOST:
            unknown.update(attempt.indexes)
    half_time = created_at + (deadline_at - created_at) / 2
    allowed = LOST_CALLS_MAX if now < half_time else 0
    resumed = {index for attempt in left_behind for index in attempt.indexes}
    lost = {index for index, times in unknown.items() if times > allowed} - resumed
    progress.give_up(lost.intersection(progress.missing), LOST)
    return History(
        progress=progress,
        left_behind=left_behind,
        spent=_cost(attempts),
        lost=_cost([attempt for attempt in attempts if attempt.result is None]),
        attempts=max((attempt.number for attempt in attempts), default=0),
    )


def _cost(attempts: Sequence[Attempt]) -> Decimal:
    return sum((attempt.cost_micros for attempt in attempts), 0) / MILLION
