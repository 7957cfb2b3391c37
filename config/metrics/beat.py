"""The metrics and probes of beat: when it last looked at what is due, and whether it could send."""

from functools import cache
from typing import Any, Final

from celery.beat import PersistentScheduler, SchedulingError

from core.metrics.health import Health, Pulse
from core.metrics.own import show_process

# Something is due every 20 s.
TICKS_WITHIN_S: Final = 120.0


class Ticks:
    """What a scheduler tells of itself.

    Attributes:
        last: Beats with each look at what is due.
        is_sending: Whether the broker took the last message.
    """

    def __init__(self) -> None:
        self.last = Pulse(TICKS_WITHIN_S)
        self.is_sending = True

    def fault_of_life(self) -> str:
        """Return why nothing is sent any more."""
        return self.last.fault("the last look at what is due")

    def fault_of_service(self) -> str:
        """Return why nothing could be sent now."""
        return self.fault_of_life() or ("" if self.is_sending else "the broker takes no message")


@cache
def ticks() -> Ticks:
    """Return the one object of this process."""
    return Ticks()


class WatchedScheduler(PersistentScheduler):
    """Celery's scheduler, watched."""

    def tick(self, *args: Any, **kwargs: Any) -> float:  # noqa: ANN401 - as Celery's
        """Send one message if it is due, and return the seconds to the next look."""
        pause_s: float = super().tick(*args, **kwargs)
        ticks().last.beat()
        return pause_s

    def apply_async(self, *args: Any, **kwargs: Any) -> Any:  # noqa: ANN401 - as Celery's
        """Send a message, or raise `SchedulingError`."""
        try:
            result = super().apply_async(*args, **kwargs)
        except SchedulingError:
            ticks().is_sending = False
            raise
        ticks().is_sending = True
        return result


def show_beat() -> None:
    """Serve what beat shows."""
    show_process(Health(life=ticks().fault_of_life, service=ticks().fault_of_service))
