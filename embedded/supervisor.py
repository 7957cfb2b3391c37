"""Keeping a table of processes alive, and stopping it in order."""

import time
from dataclasses import dataclass

from embedded.children import Child, Folders, Spec, signal_group, stop_all
from embedded.signals import StopSignals

_FIRST_DELAY_S = 0.5
_LONGEST_DELAY_S = 10.0
_HEALTHY_AFTER_S = 30.0
_LINGER_S = 10.0
_TICK_S = 1.0
_KILL = 9
_TERMINATE = 15


@dataclass(slots=True)
class _Entry:
    spec: Spec
    stage: int
    child: Child | None
    failures: int = 0
    restart_at_s: float = 0.0


@dataclass(slots=True)
class _Lingering:
    """Descendants that outlived their leader, such as web workers finishing their requests."""

    group: int
    kill_at_s: float


class Supervisor:
    """Restarts children that die; a child that is merely stopped (SIGSTOP) is left alone."""

    def __init__(self, folders: Folders, signals: StopSignals) -> None:
        self._folders = folders
        self._signals = signals
        self._entries: list[_Entry] = []
        self._lingering: list[_Lingering] = []

    def adopt(self, child: Child, *, stage: int) -> None:
        """Take over a running child; lower stages are stopped first."""
        self._entries.append(_Entry(child.spec, stage, child))

    def start(self, spec: Spec, *, stage: int) -> None:
        """Start a child and take it over."""
        self.adopt(Child(spec, self._folders), stage=stage)

    def run(self) -> None:
        """Supervise until a stop is requested."""
        while not self._signals.requested:
            self.tick()
            self._signals.sleep(self._pause_s())

    def tick(self) -> None:
        """Notice the dead, restart those whose time has come, end what lingers too long."""
        now_s = time.monotonic()
        for entry in self._entries:
            if entry.child is not None and entry.child.exit_code() is not None:
                self._bury(entry, entry.child, now_s)
            if entry.child is None and now_s >= entry.restart_at_s:
                self._restart(entry, now_s)
        self._end_lingering(now_s)

    def failures(self, name: str) -> int:
        """Return how often the child died in a row without having lived long."""
        return next(entry.failures for entry in self._entries if entry.spec.name == name)

    def stop(self) -> None:
        """Stop all stages in order; a second stop signal cuts every grace short."""
        for stage in sorted({entry.stage for entry in self._entries}):
            children = [
                entry.child
                for entry in self._entries
                if entry.stage == stage and entry.child is not None
            ]
            stop_all(children, hurry=lambda: self._signals.insisted)
        for lingering in self._lingering:
            signal_group(lingering.group, _KILL)

    def _bury(self, entry: _Entry, child: Child, now_s: float) -> None:
        lived_s = now_s - child.started_s
        if lived_s >= _HEALTHY_AFTER_S:
            entry.failures = 0
        delay_s = restart_delay_s(entry.failures)
        entry.failures += 1
        entry.child = None
        entry.restart_at_s = now_s + delay_s
        self._folders.record(entry.spec.name).unlink(missing_ok=True)
        if signal_group(child.pid, _TERMINATE):
            self._lingering.append(_Lingering(child.pid, now_s + _LINGER_S))
        log = self._folders.log(entry.spec.name)
        when = f"in {delay_s:g} s" if delay_s else "now"
        say(f"{entry.spec.name} {describe_exit(child.exit_code())}; restarting {when}. Log: {log}")

    def _restart(self, entry: _Entry, now_s: float) -> None:
        try:
            entry.child = Child(entry.spec, self._folders)
        except OSError as error:
            # No memory, no process ids, a program being replaced: all of it may pass.
            entry.failures += 1
            entry.restart_at_s = now_s + restart_delay_s(entry.failures)
            say(f"{entry.spec.name} cannot be started: {error}")

    def _end_lingering(self, now_s: float) -> None:
        for lingering in list(self._lingering):
            number = _KILL if now_s >= lingering.kill_at_s else 0
            if not signal_group(lingering.group, number) or number:
                self._lingering.remove(lingering)

    def _pause_s(self) -> float:
        waits = [
            entry.restart_at_s - time.monotonic() for entry in self._entries if entry.child is None
        ]
        return min([_TICK_S, *waits])


def restart_delay_s(failures: int) -> float:
    """Return how long to wait before a restart: none at first, then 0.5 s doubling to 10 s."""
    if failures == 0:
        return 0.0
    doublings = min(failures - 1, 10)
    return min(_FIRST_DELAY_S * (1 << doublings), _LONGEST_DELAY_S)


def describe_exit(code: int | None) -> str:
    """Return how a process ended, in words."""
    if code is not None and code < 0:
        return f"was killed by signal {-code}"
    return f"ended with exit code {code}"


def say(*lines: str) -> None:
    """Print lines for the person at the terminal at once."""
    for line in lines:
        print(line, flush=True)  # noqa: T201 - the program's output
