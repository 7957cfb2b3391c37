"""A provider that a test lets fail, with a clock of its own."""

from datetime import timedelta
from typing import Any

from core.clock import now
from gateway.models import Attempt, Breaker
from gateway.providers.errors import ProviderError, ProviderUnavailable
from gateway.services.breakers import (
    Admission,
    Probe,
    admit,
    board,
    record_failure,
    record_success,
)
from tests.gateway.services.rows import add_attempt, add_generation, new_name, open_key


class Provider:
    """A provider of a test's own, with a clock that the test turns."""

    def __init__(self) -> None:
        self.name = new_name()
        self.now = now()
        self.generation = add_generation(open_key(), queue=self.name)
        self._number = 0
        board().refresh()

    def wait(self, seconds: float) -> None:
        self.now += timedelta(seconds=seconds)

    def admit(self) -> Admission:
        return admit(provider=self.name, now=self.now)

    def succeed(self, probe: Probe | None = None) -> None:
        self._attempt(Attempt.Status.SUCCEEDED)
        record_success(provider=self.name, probe=probe, now=self.now)

    def fail(
        self,
        kind: type[ProviderError] = ProviderUnavailable,
        *,
        probe: Probe | None = None,
        seconds: float = 1.0,
    ) -> None:
        attempt = self._attempt(Attempt.Status.FAILED, seconds=seconds)
        record_failure(
            provider=self.name, attempt_id=attempt.id, kind=kind, probe=probe, now=self.now
        )

    def _attempt(self, status: Attempt.Status, *, seconds: float = 1.0, **fields: Any) -> Attempt:
        self._number += 1
        return add_attempt(
            self.generation,
            number=self._number,
            provider=self.name,
            ended_at=self.now,
            seconds=seconds,
            status=status,
            **fields,
        )

    def open(self) -> None:
        for _ in range(5):
            self.fail()
        assert self.is_open

    def probe(self) -> Probe:
        """Let the pause pass and take the probe."""
        self.now = max(self.now, self.breaker.retry_at)
        probe = self.admit().probe
        assert probe is not None
        return probe

    @property
    def breaker(self) -> Breaker:
        return Breaker.objects.get(provider=self.name)

    @property
    def is_open(self) -> bool:
        return Breaker.objects.filter(provider=self.name, is_open=True).exists()
