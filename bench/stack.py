"""The measured system: the product's own processes and engines, in a folder of their own."""

import contextlib
import http.client
import json
import os
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from bench.procfs import Usage, forget_peaks, usage
from embedded.children import Child, Folders, Spec, recorded_pid, stop_all
from embedded.environment import without_settings
from embedded.files import last_lines
from embedded.limits import raise_file_limit
from embedded.ports import choose_ports, listen
from embedded.processes import ROOT, child_environment, preparations, process_table
from embedded.session import kept_services, remove_state

ENGINES = ("postgres", "valkey", "seaweedfs")
HOST = "127.0.0.1"
READY_TIMEOUT_S = 60.0
# More than any run can spend.
CREDIT = "100000000"


class BenchError(Exception):
    """The benchmark cannot go on; the message says why."""


@dataclass(frozen=True, slots=True)
class Stack:
    """A running system.

    Attributes:
        pids: The first process of each part.
    """

    port: int
    upstream_port: int
    api_key: str
    environment: Mapping[str, str]
    pids: Mapping[str, int]

    def usage(self) -> dict[str, Usage]:
        """Return what each part has used so far."""
        return {name: usage(pid) for name, pid in self.pids.items()}

    def forget_peaks(self) -> None:
        """Let the peak memory of every part begin anew."""
        for pid in self.pids.values():
            forget_peaks(pid)

    def upstream_stats(self) -> dict[str, int]:
        """Return what the upstream counted since it was last asked."""
        connection = http.client.HTTPConnection(HOST, self.upstream_port, timeout=10)
        with contextlib.closing(connection):
            connection.request("GET", "/stats")
            found = json.loads(connection.getresponse().read())
        return {name: int(value) for name, value in found.items()}


@contextlib.contextmanager
def running_stack() -> Iterator[Stack]:
    """Start everything, with durable engines, and remove it all afterwards.

    Raises:
        BenchError: A part did not start.
    """
    raise_file_limit()
    # Below /tmp itself, which PostgreSQL's own account can pass through when we are root.
    var = Path(tempfile.mkdtemp(prefix="lienzo-bench-"))
    var.chmod(0o711)
    try:
        port, upstream_port = choose_ports(2)
        environ = {**without_settings(os.environ), "PORT": str(port), "LIENZO_VAR": str(var)}
        with kept_services(var, environ) as values, listen(HOST, port) as web_socket:
            upstream = {
                "OPENAI_API_KEY": "bench",
                "OPENAI_BASE_URL": f"http://{HOST}:{upstream_port}/v1",
                "LOG_LEVEL": "WARNING",
            }
            environment = child_environment(environ, {**values, **upstream})
            api_key = _prepare(environment)
            with _processes(var, environment, web_socket, upstream_port) as pids:
                yield Stack(port, upstream_port, api_key, environment, pids)
    finally:
        remove_state(var)


@contextlib.contextmanager
def _processes(
    var: Path, environment: Mapping[str, str], web_socket: socket.socket, upstream_port: int
) -> Iterator[Mapping[str, int]]:
    folders = Folders.under(var)
    table = process_table(environment, web_socket=web_socket.fileno(), sandbox_port=None)
    upstream = Spec(
        name="upstream",
        argv=(sys.executable, "-m", "bench.upstream", "--port", str(upstream_port)),
        env=environment,
        cwd=ROOT,
    )
    children: list[Child] = []
    try:
        children.extend(Child(spec, folders) for spec in (upstream, *(spec for spec, _ in table)))
        _wait_until_ready(children, folders, (upstream_port, "/stats"))
        _wait_until_ready(children, folders, (int(environment["PORT"]), "/readyz"))
        pids = {child.spec.name: child.pid for child in children}
        for name in ENGINES:
            pid = recorded_pid(folders.record(name))
            if pid is None:
                raise BenchError(f"{name} is not running")
            pids[name] = pid
        yield pids
    finally:
        stop_all(children)


def _prepare(environment: Mapping[str, str]) -> str:
    """Migrate, and open an organization with money; return its API key.

    Its currency is not the prices', so that every charge goes by an exchange rate.
    """
    for _, command in preparations():
        _run(command, environment)
    _manage(environment, "set_fx_rate", "USD", "MXN", "20")
    made = _manage(environment, "create_org", "Bench", "--currency", "MXN", "--no-demo")
    _manage(environment, "top_up", made["id"], CREDIT)
    return _manage(environment, "create_api_key", made["id"])["key"]


def _manage(environment: Mapping[str, str], *arguments: str) -> dict[str, str]:
    output = _run((sys.executable, "manage.py", *arguments, "--json"), environment)
    return {name: str(value) for name, value in json.loads(output).items()}


def _run(command: Sequence[str], environment: Mapping[str, str]) -> str:
    done = subprocess.run(
        command, env=dict(environment), cwd=ROOT, check=False, capture_output=True, text=True
    )
    if done.returncode:
        raise BenchError(f"{' '.join(command[1:])}: {done.stderr[-2000:]}")
    return done.stdout


def _wait_until_ready(children: Sequence[Child], folders: Folders, target: tuple[int, str]) -> None:
    deadline = time.monotonic() + READY_TIMEOUT_S
    while not _answers(*target):
        for child in children:
            if child.exit_code() is not None:
                log = last_lines(folders.log(child.spec.name))
                raise BenchError(f"{child.spec.name} ended with {child.exit_code()}:\n{log}")
        if time.monotonic() > deadline:
            raise BenchError(f"port {target[0]} does not answer")
        time.sleep(0.1)


def _answers(port: int, path: str) -> bool:
    connection = http.client.HTTPConnection(HOST, port, timeout=2)
    with contextlib.closing(connection):
        try:
            connection.request("GET", path)
            return connection.getresponse().status == 200
        except (OSError, http.client.HTTPException):
            return False
