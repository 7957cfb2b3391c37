"""Restarting processes one after another while the others serve, so that no request fails."""

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace

from embedded.children import Child, Folders, Spec
from embedded.errors import EmbeddedError, StopRequestedError
from embedded.files import last_lines
from embedded.ports import choose_ports
from embedded.signals import StopSignals
from embedded.supervisor import Supervisor, describe_exit

_READY_TIMEOUT_S = 90.0
_LOOK_EVERY_S = 0.1


class Rolling:
    """Replaces a supervisor's children.

    A successor that does not come to serve is ended, and what ran before goes on: a broken new
    version stops at its first process.
    """

    def __init__(self, supervisor: Supervisor, folders: Folders, signals: StopSignals) -> None:
        self._supervisor = supervisor
        self._folders = folders
        self._signals = signals

    def restart(self, names: Sequence[str]) -> Iterator[str]:
        """Restart children one after another, saying what is done.

        Returns once their predecessors have finished what they had begun, too.

        Raises:
            EmbeddedError: There is no such child, or its successor does not serve.
            StopRequestedError: A stop signal arrived.
        """
        for name in names:
            self._check(name)
        for name in names:
            started_s = time.monotonic()
            self._restart(name)
            yield f"{name}: restarted, serving after {time.monotonic() - started_s:.1f} s"
        if self._supervisor.is_draining(names):
            yield "Waiting for their predecessors to finish what they have begun ..."
        self._wait(lambda: not self._supervisor.is_draining(names))
        yield "Every process asked for was restarted."

    def _check(self, name: str) -> None:
        try:
            self._supervisor.spec(name)
        except KeyError as error:
            known = ", ".join(self._supervisor.all_names())
            raise EmbeddedError(f"Nothing called {name} runs here. There are {known}.") from error

    def _restart(self, name: str) -> None:
        spec = _with_fresh_port(self._supervisor.spec(name))
        if not spec.overlaps:
            self._supervisor.retire(name)
            self._wait(lambda: not self._supervisor.is_draining([name]))
        try:
            successor = Child(spec, self._folders, record=f"{name}-successor")
            try:
                self._wait_until_ready(name, successor)
            except BaseException:
                successor.finish()
                raise
        except BaseException:
            self._supervisor.release([name])
            raise
        self._supervisor.replace(name, spec, successor)

    def _wait_until_ready(self, name: str, successor: Child) -> None:
        is_ready = self._supervisor.readiness(name)

        def serves() -> bool:
            if successor.exit_code() is not None:
                raise self._failure(name, describe_exit(successor.exit_code()))
            return successor.has_announced() if is_ready is None else is_ready()

        if not self._wait(serves, timeout_s=_READY_TIMEOUT_S):
            raise self._failure(name, f"does not serve after {_READY_TIMEOUT_S:.0f} s")

    def _failure(self, name: str, what: str) -> EmbeddedError:
        log = self._folders.log(name)
        return EmbeddedError(
            f"The new {name} {what}; what ran before goes on. The end of {log}:\n{last_lines(log)}"
        )

    def _wait(self, is_true: Callable[[], bool], *, timeout_s: float = float("inf")) -> bool:
        """Supervise until something is true; False when it was not in time."""
        deadline_s = time.monotonic() + timeout_s
        while not is_true():
            if self._signals.requested:
                raise StopRequestedError("Stopped.")
            if time.monotonic() >= deadline_s:
                return False
            self._supervisor.tick()
            self._signals.sleep(_LOOK_EVERY_S)
        return True


def _with_fresh_port(spec: Spec) -> Spec:
    """Return a successor with a port for its metrics other than its predecessor's."""
    if not spec.overlaps or spec.env.get("METRICS_PORT", "0") == "0":
        return spec
    [port] = choose_ports(1)
    return replace(spec, env={**spec.env, "METRICS_PORT": str(port)})
