"""Engines for the time of one command or one test run."""

import contextlib
import json
import select
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

from embedded.children import Child, Folders, end_leftovers, stop_all
from embedded.engine import Engine
from embedded.engines import start_engines
from embedded.environment import Address, product_environment
from embedded.errors import EngineStartError
from embedded.files import write_env_file
from embedded.locks import sole_user
from embedded.postgres import homes
from embedded.processes import child_environment
from embedded.state import PUBLIC_BUCKET, State, open_state, services_file

_TRIES = 3


@contextlib.contextmanager
def temporary_services(
    *, stopping: Callable[[], bool] = lambda: False
) -> Iterator[Mapping[str, str]]:
    """Run the three engines in a folder of their own, which is removed afterwards.

    They are quick instead of durable, and the database role may create databases.

    Yields:
        The variables that lead to them, secrets and addresses included.
    """
    var = Path(tempfile.mkdtemp(prefix="lienzo-"))
    # As root, PostgreSQL's account must be able to pass through to its own folder.
    var.chmod(0o711)
    try:
        state, children = _start(var, _test_engines, stopping=stopping)
        try:
            yield _variables(state, _test_engines(state), {})
        finally:
            stop_all(children)
    finally:
        remove_state(var)


@contextlib.contextmanager
def kept_services(var: Path, environ: Mapping[str, str]) -> Iterator[Mapping[str, str]]:
    """Run the engines on a state folder whose data is kept; the user's variables win.

    Raises:
        EmbeddedError: The folder is in use.
    """
    with sole_user(var):
        end_leftovers(Folders.under(var))
        state, children = _start(var, lambda state: engines_of(state, environ))
        try:
            values = _variables(state, engines_of(state, environ), environ)
            write_env_file(services_file(var), values)
            yield values
        finally:
            stop_all(children)


def engines_of(state: State, environ: Mapping[str, str]) -> tuple[Engine, ...]:
    """Return the engines that the user's environment leaves to us, the slowest to start first."""
    bucket = environ.get("S3_BUCKET") or PUBLIC_BUCKET
    private = environ.get("S3_PRIVATE_BUCKET") or f"{bucket}-private"
    wanted: list[Engine] = []
    if not environ.get("S3_ENDPOINT_URL"):
        wanted.append(state.seaweedfs(public_bucket=bucket, private_bucket=private))
    if not environ.get("REDIS_URL"):
        wanted.append(state.valkey())
    if not environ.get("DATABASE_URL"):
        wanted.append(state.postgres())
    return tuple(wanted)


def run_command(command: list[str], values: Mapping[str, str], environ: Mapping[str, str]) -> int:
    """Run a command with the services' variables; return its exit code."""
    done = subprocess.run(command, env=child_environment(environ, values), check=False)  # noqa: S603 - the user's own
    return done.returncode


def serve_holder() -> int:
    """Serve temporary engines to whoever holds our standard input open.

    Prints their variables as one line of JSON when they are ready. The end of the holder, even
    by kill -9, closes the pipe and ends the engines.
    """
    with temporary_services(stopping=_holder_is_gone) as values:
        sys.stdout.write(json.dumps(dict(values)) + "\n")
        sys.stdout.flush()
        sys.stdin.read()
    return 0


def remove_state(var: Path) -> None:
    """Remove a state folder with all data, also where PostgreSQL keeps it elsewhere."""
    for folder in (*homes(var), var):
        shutil.rmtree(folder, ignore_errors=True)


def _test_engines(state: State) -> tuple[Engine, ...]:
    return state.engines_for_tests()


def _start(
    var: Path,
    choose: Callable[[State], tuple[Engine, ...]],
    *,
    stopping: Callable[[], bool] = lambda: False,
) -> tuple[State, list[Child]]:
    """Start engines; when one fails, perhaps as its port was taken meanwhile, try again."""
    for attempt in range(1, _TRIES + 1):
        state = open_state(var)
        try:
            return state, start_engines(choose(state), Folders.under(var), stopping=stopping)
        except EngineStartError:
            if attempt == _TRIES:
                raise
    raise AssertionError("unreachable")


def _variables(
    state: State, engines: tuple[Engine, ...], environ: Mapping[str, str]
) -> dict[str, str]:
    found: dict[str, str] = {}
    for engine in engines:
        found.update(engine.environment())
    return product_environment(state, Address.from_environ(environ), found, environ)


def _holder_is_gone() -> bool:
    # The holder writes nothing, so that what can be read is the end of the pipe.
    ready, _, _ = select.select([sys.stdin.fileno()], [], [], 0)
    return bool(ready)
