"""Keeping a table of processes alive, and stopping it in order."""

import signal
import time
from collections.abc import Callable, Collection
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
    is_ready: Callable[[], bool] | None = None
    failures: int = 0
    restart_at_s: float = 0.0
    is_held: bool = False


@dataclass(slots=True)
class _Draining:
    """A child that was asked to stop and finishes what it has begun."""

    child: Child
    stage: int
    kill_at_s: float


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
        self._draining: list[_Draining] = []
        self._lingering: list[_Lingering] = []

    def adopt(
        self, child: Child, *, stage: int, is_ready: Callable[[], bool] | None = None
    ) -> None:
        """Take over a running child; lower stages are stopped first.

        Args:
            child: The child.
            stage: When it is stopped.
            is_ready: Tells whether it serves, where it does not announce that itself.
        """
        self._entries.append(_Entry(child.spec, stage, child, is_ready))

    def start(self, spec: Spec, *, stage: int, is_ready: Callable[[], bool] | None = None) -> None:
        """Start a child and take it over, as `adopt` has it."""
        self.adopt(Child(spec, self._folders), stage=stage, is_ready=is_ready)

    def run(self, each_time: Callable[[], None] = lambda: None) -> None:
        """Supervise until a stop is requested; ``each_time`` is called at every look."""
        while not self._signals.requested:
            self.tick()
            each_time()
            self._signals.sleep(self._pause_s())

    def tick(self) -> None:
        """Notice the dead, restart those whose time has come, end what lingers too long."""
        now_s = time.monotonic()
        for entry in self._entries:
            if entry.child is not None and entry.child.exit_code() is not None:
                self._bury(entry, entry.child, now_s)
            if entry.child is None and now_s >= entry.restart_at_s and not entry.is_held:
                self._restart(entry, now_s)
        self._end_drained(now_s)
        self._end_lingering(now_s)

    def failures(self, name: str) -> int:
        """Return how often the child died in a row without having lived long."""
        return self._entry(name).failures

    def serves(self, name: str) -> bool:
        """Tell whether a child runs and has come up."""
        entry = self._entry(name)
        if entry.child is None:
            return False
        return entry.child.has_announced() if entry.is_ready is None else entry.is_ready()

    def names(self, stage: int) -> list[str]:
        """Return the names of a stage's children, in the order of starting."""
        return [spec.name for spec in self.specs(stage)]

    def all_names(self) -> list[str]:
        """Return the names of all children, in the order of starting."""
        return [entry.spec.name for entry in self._entries]

    def specs(self, stage: int) -> list[Spec]:
        """Return how the children of a stage are run, in the order of starting."""
        return [entry.spec for entry in self._entries if entry.stage == stage]

    def spec(self, name: str) -> Spec:
        """Return how a child is run.

        Raises:
            KeyError: There is no such child.
        """
        return self._entry(name).spec

    def readiness(self, name: str) -> Callable[[], bool] | None:
        """Return what tells whether a child serves that does not announce it; else None."""
        return self._entry(name).is_ready

    def retire(self, name: str) -> None:
        """Ask a child to stop; it is not started again until it is released or replaced."""
        entry = self._entry(name)
        entry.is_held = True
        self._drain(entry)

    def replace(self, name: str, spec: Spec, successor: Child) -> None:
        """Let a running process take a child's place, which is asked to stop.

        Should the successor die, another one is started by ``spec``.
        """
        entry = self._entry(name)
        self._drain(entry)
        entry.spec, entry.child = spec, successor
        entry.failures, entry.is_held = 0, False
        successor.record_as(name)

    def hold(self, names: Collection[str]) -> None:
        """Kill children and all they spawned at once, and leave them dead."""
        for entry in self._entries:
            if entry.spec.name in names:
                entry.is_held = True
                if entry.child is not None:
                    entry.child.signal(signal.SIGKILL)
        for drained in self._draining:
            if drained.child.spec.name in names:
                drained.child.signal(signal.SIGKILL)

    def release(self, names: Collection[str]) -> None:
        """Start held children again at the next look."""
        for entry in self._entries:
            if entry.spec.name in names:
                entry.is_held, entry.failures, entry.restart_at_s = False, 0, 0.0

    def signal(self, names: Collection[str], number: signal.Signals) -> None:
        """Signal children and all they spawned, those that still finish their work included."""
        current = [entry.child for entry in self._entries if entry.child is not None]
        for child in (*current, *(drained.child for drained in self._draining)):
            if child.spec.name in names:
                child.signal(number)

    def is_draining(self, names: Collection[str]) -> bool:
        """Tell whether a predecessor of these children still finishes what it has begun."""
        return any(drained.child.spec.name in names for drained in self._draining)

    def stop(self) -> None:
        """Stop all stages in order; a second stop signal cuts every grace short."""
        for stage in sorted({entry.stage for entry in self._entries}):
            children = [
                entry.child
                for entry in self._entries
                if entry.stage == stage and entry.child is not None
            ]
            children += [drained.child for drained in self._draining if drained.stage == stage]
            stop_all(children, hurry=lambda: self._signals.insisted)
        for lingering in self._lingering:
            signal_group(lingering.group, _KILL)

    def _entry(self, name: str) -> _Entry:
        for entry in self._entries:
            if entry.spec.name == name:
                return entry
        raise KeyError(name)

    def _drain(self, entry: _Entry) -> None:
        child, entry.child = entry.child, None
        if child is None:
            return
        child.record_as(f"{entry.spec.name}-{child.pid}")
        child.ask_to_stop()
        kill_at_s = time.monotonic() + entry.spec.drain_grace_s
        self._draining.append(_Draining(child, entry.stage, kill_at_s))

    def _end_drained(self, now_s: float) -> None:
        for drained in list(self._draining):
            if drained.child.exit_code() is not None or now_s >= drained.kill_at_s:
                drained.child.finish()
                self._draining.remove(drained)

    def _bury(self, entry: _Entry, child: Child, now_s: float) -> None:
        lived_s = now_s - child.started_s
        if lived_s >= _HEALTHY_AFTER_S:
            entry.failures = 0
        delay_s = restart_delay_s(entry.failures)
        entry.failures += 1
        entry.child = None
        entry.restart_at_s = now_s + delay_s
        child.forget()
        if signal_group(child.pid, _TERMINATE):
            self._lingering.append(_Lingering(child.pid, now_s + _LINGER_S))
        log = self._folders.log(entry.spec.name)
        when = f"in {delay_s:g} s" if delay_s else "now"
        what = "as told" if entry.is_held else f"restarting {when}"
        say(f"{entry.spec.name} {describe_exit(child.exit_code())}; {what}. Log: {log}")

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
