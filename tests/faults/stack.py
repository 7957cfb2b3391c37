"""A whole Lienzo under its own supervisor, with the upstream of these tests behind it."""

import contextlib
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, TypeVar

import psutil
import psycopg
import requests
from psycopg.rows import DictRow, dict_row

from embedded.environment import without_settings
from embedded.files import read_env_file
from embedded.session import remove_state

ROOT = Path(__file__).resolve().parent.parent.parent
# The provider queues share what is left of the pool after 16 reserved tasks: 20 slots each.
SLOTS = 20
# Reserved tasks, one slot for each queue without an endpoint, the slots of the other three.
POOL_SIZE = 16 + 6 + 3 * SLOTS
# What an earlier test made of its providers must not count in the next one.
_CLOSE_BREAKERS = """
INSERT INTO gateway_breaker AS breaker (
    provider, is_open, reason, failures, calls, opened_at, closed_at, retry_at, cooldown_s, probes
)
SELECT provider, false, '', 0, 0, now(), now(), now(), 5, 0
FROM unnest(ARRAY['openai', 'fal']) AS provider
ON CONFLICT (provider) DO UPDATE SET is_open = false, closed_at = now()
RETURNING coalesce(old.is_open, false) AS was_open
"""
# Processes look at the breakers once a second.
_LOOK_S = 1.2
START_TIMEOUT_S = 300
MILLION = 1_000_000
T = TypeVar("T")


def wait_for(what: Callable[[], T], *, timeout_s: float, message: str, every_s: float = 0.1) -> T:
    """Return the first true value of `what`."""
    deadline = time.monotonic() + timeout_s
    while True:
        value = what()
        if value:
            return value
        assert time.monotonic() < deadline, f"not within {timeout_s:g} s: {message}"
        time.sleep(every_s)


@dataclass(frozen=True)
class Organization:
    """An organization with one API key."""

    id: str
    key: str


class UpstreamProcess:
    """The upstream's process and its log."""

    def __init__(self, host: str = "127.0.0.1") -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.faults.upstream", host],
            cwd=ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )
        assert self._process.stdout is not None
        self.url = self._process.stdout.readline().strip()
        assert self.url, "the upstream did not start"

    def calls(
        self, mark: str, *, steps: Sequence[str] = ("generate", "submit")
    ) -> list[dict[str, Any]]:
        """Return the calls whose prompt contains `mark`."""
        calls = requests.get(f"{self.url}/control/calls", timeout=10).json()
        return [call for call in calls if mark in call["prompt"] and call["step"] in steps]

    def open_gate(self, name: str) -> None:
        """Let the calls go that wait for a gate."""
        requests.post(f"{self.url}/control/gates/{name}", timeout=10).raise_for_status()

    def close(self) -> None:
        """End the process."""
        assert self._process.stdin is not None
        self._process.stdin.close()
        self._process.wait(10)


class Office:
    """The process that runs the machine's management commands; see `tests.faults.office`."""

    def __init__(self, services: Mapping[str, str]) -> None:
        environ = {**without_settings(os.environ), **services, **_DJANGO}
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.faults.office"],
            cwd=ROOT,
            env=environ,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )

    def run(self, words: Sequence[str]) -> tuple[int, str]:
        """Run a command; return its exit code and output."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps(words) + "\n")
        self._process.stdin.flush()
        answer = json.loads(self._process.stdout.readline())
        return answer["code"], answer["output"]

    def close(self) -> None:
        """End the process."""
        self._process.communicate(timeout=10)


class Stack:
    """`make run` in a temporary folder. Killed processes are restarted by its supervisor.

    Args:
        settings: Variables for its processes beside those of every test.
        upstream: Another stack's, in place of one of its own.
        prepare: Called with the state folder before the first start.
    """

    program: Sequence[str] = ("embedded", "run")

    def __init__(
        self,
        settings: Mapping[str, str] | None = None,
        *,
        upstream: UpstreamProcess | None = None,
        prepare: Callable[[Path], None] | None = None,
    ) -> None:
        self._settings = settings or {}
        self._folder = Path(tempfile.mkdtemp(prefix="lienzo-faults-"))
        # PostgreSQL's account must be able to pass through.
        self._folder.chmod(0o711)
        self.var = self.state_folder()
        self.upstream = upstream or UpstreamProcess(self.upstream_host())
        self._supervisor: subprocess.Popen[bytes] | None = None
        self._office: Office | None = None
        self.port = _free_port()
        if prepare is not None:
            prepare(self.var)
        self.start()

    def state_folder(self) -> Path:
        """Return where the supervisor keeps its state."""
        return self._folder / "var"

    def upstream_host(self) -> str:
        """Return the address under which workers find the upstream."""
        return "127.0.0.1"

    @property
    def base_url(self) -> str:
        """The address of the API."""
        return f"http://127.0.0.1:{self.port}"

    def start(self) -> None:
        """Start everything and wait until it serves."""
        environ = {
            **without_settings(os.environ),
            "LIENZO_VAR": str(self._folder / "var"),
            "PORT": str(self.port),
            "WEB_PROCESSES": "2",
            "WORKER_POOL_SIZE": str(POOL_SIZE),
            "DATABASE_POOL_SIZE": "2",
            "OPENAI_BASE_URL": f"{self.upstream.url}/openai/v1",
            "OPENAI_API_KEY": "openai-secret",
            "FAL_BASE_URL": f"{self.upstream.url}/fal",
            "FAL_API_KEY": "fal-id:fal-secret",
            **self._settings,
        }
        with (self._folder / "supervisor.log").open("ab") as log:
            self._supervisor = subprocess.Popen(
                [sys.executable, "-m", *self.program],
                cwd=ROOT,
                env=environ,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        supervisor = self._supervisor

        def ready() -> bool:
            assert supervisor.poll() is None, self.tail("supervisor")
            return (self.var / "demo.env").exists()

        wait_for(ready, timeout_s=START_TIMEOUT_S, message="the product serves")

    def stop(self, number: int = signal.SIGTERM) -> None:
        """Stop the supervisor, which stops everything."""
        assert self._supervisor is not None
        if self._office is not None:
            self._office.close()
            self._office = None
        self._supervisor.send_signal(number)
        assert self._supervisor.wait(60) == 0, self.tail("supervisor")

    def close(self) -> None:
        """Stop everything and remove all data; does nothing the second time."""
        if not self._folder.exists():
            return
        if self._supervisor is not None and self._supervisor.poll() is None:
            self.stop()
        self.upstream.close()
        remove_state(self.var)
        shutil.rmtree(self._folder, ignore_errors=True)

    def pid(self, name: str) -> int | None:
        """Return the process of the supervisor's child `name`, if it runs."""
        record = self.var / "run" / f"{name}.json"
        with contextlib.suppress(FileNotFoundError, ValueError):
            return int(json.loads(record.read_text())["pid"])
        return None

    def web_workers(self) -> list[int]:
        """Return the web processes that serve requests."""
        arbiter = self.pid("web")
        return [child.pid for child in psutil.Process(arbiter).children()] if arbiter else []

    def kill(self, name: str, *, group: bool = False) -> None:
        """Kill a child and wait until the supervisor has started another one."""
        pid = self.pid(name)
        assert pid is not None
        if group:
            os.killpg(pid, signal.SIGKILL)
        else:
            os.kill(pid, signal.SIGKILL)
        wait_for(
            lambda: self.pid(name) not in {None, pid}, timeout_s=20, message=f"{name} is restarted"
        )

    @contextlib.contextmanager
    def frozen(self, name: str) -> Iterator[None]:
        """Stop a child's whole process group with SIGSTOP while the block runs."""
        pid = self.pid(name)
        assert pid is not None
        family = [pid, *(child.pid for child in psutil.Process(pid).children(recursive=True))]
        for member in family:
            os.kill(member, signal.SIGSTOP)
        try:
            yield
        finally:
            for member in family:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(member, signal.SIGCONT)

    def organizations(self, *amounts: str) -> list[Organization]:
        """Open organizations with a credit in USD each; the providers' failures are forgotten."""
        if any(row["was_open"] for row in self.rows(_CLOSE_BREAKERS)):
            time.sleep(_LOOK_S)
        wait_for(self.worker_serves, timeout_s=30, message="the worker is back")
        micros = [str(round(float(amount) * MILLION)) for amount in amounts]
        text = self.command("provision", *micros)
        return [Organization(**found) for found in json.loads(text)]

    def worker_serves(self) -> bool:
        """Whether the present worker has announced itself: an earlier test may have killed one."""
        query = "SELECT pid FROM gateway_process WHERE kind = 'worker' AND ended_at IS NULL"
        return self.pid("worker") in {row["pid"] for row in self.rows(query)}

    def organization(self, amount: str = "1000") -> Organization:
        """Open one organization."""
        return self.organizations(amount)[0]

    def command(self, *arguments: str, check: bool = True) -> str:
        """Run a management command with the environment of the product; return its output."""
        if self._office is None:
            self._office = Office(self.services())
        code, output = self._office.run(arguments)
        if check:
            assert code == 0, output
        return output

    def services(self) -> dict[str, str]:
        """Return the variables that reach the services."""
        return read_env_file(self.var / "run" / "services.env")

    def connect(self) -> psycopg.Connection[DictRow]:
        """Open a session with the database."""
        url = self.services()["DATABASE_URL"]
        return psycopg.connect(url, autocommit=True, row_factory=dict_row)

    def rows(self, query: str, *values: object) -> list[DictRow]:
        """Run one query."""
        with self.connect() as session:
            return session.execute(query, values).fetchall()

    def tail(self, name: str, *, lines: int = 60) -> str:
        """Return the end of a log."""
        log = self._folder / "supervisor.log"
        if name != "supervisor":
            log = self.var / "log" / f"{name}.log"
        return "\n".join(log.read_text(errors="replace").splitlines()[-lines:])


_DJANGO = {
    "DJANGO_SETTINGS_MODULE": "config.settings",
    # PostgreSQL may be killed between two commands: each connects anew.
    "DATABASE_POOL_SIZE": "0",
}


def _free_port() -> int:
    with contextlib.closing(socket.socket()) as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@cache
def shared_stack() -> Stack:
    """Return the one stack of this test process."""
    return Stack()
