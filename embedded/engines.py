"""Bringing engines up and down together."""

import time
from collections.abc import Callable, Sequence

from embedded.children import Child, Folders
from embedded.engine import Engine
from embedded.errors import EngineStartError, StopRequestedError
from embedded.files import last_lines

START_TIMEOUT_S = 120.0
_POLL_S = 0.05


def start_engines(
    engines: Sequence[Engine], folders: Folders, *, stopping: Callable[[], bool] = lambda: False
) -> list[Child]:
    """Start engines side by side and wait until all serve; on failure none is left running.

    Raises:
        EngineStartError: One of them ended or was not ready in time; with the end of its log.
        StopRequestedError: ``stopping`` became true.
    """
    children: list[Child] = []
    try:
        for engine in engines:
            engine.prepare()
            children.append(Child(engine.spec(), folders))
        wait_until_ready(list(zip(engines, children, strict=True)), folders, stopping=stopping)
    except BaseException:
        for child in children:
            child.finish()
        raise
    return children


def wait_until_ready(
    pairs: Sequence[tuple[Engine, Child]], folders: Folders, *, stopping: Callable[[], bool]
) -> None:
    """Wait until every engine serves.

    Raises:
        EngineStartError: One of them ended or was not ready in time.
        StopRequestedError: ``stopping`` became true.
    """
    deadline_s = time.monotonic() + START_TIMEOUT_S
    waiting = list(pairs)
    while waiting:
        if stopping():
            raise StopRequestedError("Stopped while the engines were starting.")
        for engine, child in list(waiting):
            if child.exit_code() is not None:
                raise _failure(engine, folders, f"ended with exit code {child.exit_code()}")
            if engine.is_ready():
                waiting.remove((engine, child))
        if waiting and time.monotonic() >= deadline_s:
            raise _failure(waiting[0][0], folders, f"not ready after {START_TIMEOUT_S:.0f} s")
        if waiting:
            time.sleep(_POLL_S)


def _failure(engine: Engine, folders: Folders, what: str) -> EngineStartError:
    log = folders.log(engine.name)
    return EngineStartError(f"{engine.name}: {what}. The end of {log}:\n{last_lines(log)}")
