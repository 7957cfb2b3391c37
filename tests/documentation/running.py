"""A checkout of its own for the documentation's commands, with the product started by `make run`.

Its files are links to the repository's, but for ``var``; so what the pages say to type works as it
stands, wherever it writes. ``make`` is `tests.documentation.make` there.
"""

import contextlib
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from embedded.environment import without_settings
from embedded.limits import raise_file_limit
from embedded.ports import choose_ports
from embedded.postgres import find_programs
from embedded.session import remove_state
from tests.architecture.tree import ROOT

READY_S = 240.0
STOP_S = 90.0
_OWN = frozenset({"var", ".git"})


@dataclass(frozen=True, slots=True)
class Checkout:
    """A folder to run commands in, and their environment."""

    folder: Path
    environment: Mapping[str, str]

    @property
    def var(self) -> Path:
        return Path(self.environment["LIENZO_VAR"])

    def run(
        self, command: list[str], *, timeout_s: float, **variables: str
    ) -> subprocess.CompletedProcess[str]:
        """Run a command to its end, without an input."""
        return subprocess.run(
            command,
            cwd=self.folder,
            env={**self.environment, **variables},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=timeout_s,
            check=False,
        )


@contextlib.contextmanager
def checkout(environ: Mapping[str, str]) -> Iterator[Checkout]:
    """Make one, and remove it with all that is in it."""
    # Below /tmp itself, which PostgreSQL's own account can pass through when we are root.
    folder = Path(tempfile.mkdtemp(prefix="lienzo-docs-"))
    folder.chmod(0o711)
    var = folder / "var"
    try:
        for path in ROOT.iterdir():
            if path.name not in _OWN:
                (folder / path.name).symlink_to(path)
        if not (folder / ".venv").exists():
            (folder / ".venv").symlink_to(sys.prefix)
        yield Checkout(folder, _environment(environ, folder, var))
    finally:
        remove_state(var)
        shutil.rmtree(folder, ignore_errors=True)


def _environment(environ: Mapping[str, str], folder: Path, var: Path) -> dict[str, str]:
    programs = folder / "bin"
    programs.mkdir()
    for name, what in (("make", "-m tests.documentation.make"), ("python", "")):
        program = programs / name
        program.write_text(f'#!/bin/sh\nexec {sys.executable} {what} "$@"\n', encoding="utf-8")
        program.chmod(0o755)
    (programs / ".curlrc").write_text("fail-with-body\nsilent\nshow-error\nmax-time = 120\n")
    return {
        **without_settings(environ),
        # psql of the engine, where the machine has none.
        "PATH": os.pathsep.join((str(programs), environ["PATH"], str(find_programs()))),
        "PYTHONPATH": str(ROOT),
        "CURL_HOME": str(programs),
        "LIENZO_VAR": str(var),
        "PORT": str(choose_ports(1)[0]),
    }


@contextlib.contextmanager
def running(command: list[str], here: Checkout) -> Iterator[None]:
    """Run ``make run`` or the like until it is ready; stop it afterwards, as Ctrl-C does."""
    raise_file_limit()
    log = here.folder / "run.log"
    with log.open("w") as output:
        process = subprocess.Popen(
            command,
            cwd=here.folder,
            env=dict(here.environment),
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    try:
        _wait_until_ready(process, here, log)
        yield
    finally:
        # To the group, as a terminal does: make alone would leave what it started.
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, 2)
        process.wait(STOP_S)


def _wait_until_ready(process: subprocess.Popen[bytes], here: Checkout, log: Path) -> None:
    deadline_s = time.monotonic() + READY_S
    while not (here.var / "demo.env").exists():
        said = log.read_text(encoding="utf-8")[-3000:]
        if process.poll() is not None:
            raise RuntimeError(f"ended with {process.returncode}:\n{said}")
        if time.monotonic() > deadline_s:
            raise RuntimeError(f"not ready after {READY_S:.0f} s:\n{said}")
        time.sleep(0.2)
