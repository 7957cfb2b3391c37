"""``make run``: everything on one machine, from nothing to serving."""

import contextlib
import http.client
import json
import socket
import subprocess
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path

from embedded.children import Folders, Spec, end_leftovers
from embedded.database import refuse_foreign_database
from embedded.engines import start_engines
from embedded.environment import (
    Address,
    product_environment,
    refuse_own_address,
    taken_names,
)
from embedded.errors import EmbeddedError, EngineStartError, StopRequestedError
from embedded.files import last_lines, read_env_file, write_env_file
from embedded.limits import raise_file_limit
from embedded.locks import sole_user
from embedded.ports import LOOPBACK, listen
from embedded.processes import (
    ROOT,
    STAGE_ENGINE,
    child_environment,
    demo_command,
    page_files_command,
    preparations,
    process_table,
)
from embedded.scraping import write_targets
from embedded.session import engines_of
from embedded.signals import StopSignals
from embedded.state import State, open_state, services_file
from embedded.supervisor import Supervisor, describe_exit, say

_READY_TIMEOUT_S = 90.0
_MAX_START_FAILURES = 3
_START_TRIES = 3
_HTTP_OK = 200
_DEMO_SERVICES = ("DATABASE_URL", "REDIS_URL", "S3_ENDPOINT_URL")


def run(var: Path, environ: Mapping[str, str]) -> int:
    """Start everything, supervise it until a stop signal, stop it. Returns the exit code.

    Raises:
        EmbeddedError: It cannot start; everything started so far has been stopped.
    """
    address = Address.from_environ(environ)
    raise_file_limit()
    with sole_user(var), StopSignals() as signals:
        refuse_own_address(environ, address)
        folders = Folders.under(var)
        if ended := end_leftovers(folders):
            say(f"Ended what an earlier run had left behind: {', '.join(ended)}")
        with listen(address.host, address.port) as web_socket:
            machine = _Machine(var, environ, address, signals)
            try:
                machine.start(web_socket)
                machine.supervisor.run()
            except StopRequestedError:
                pass
            finally:
                web_socket.close()
                say("Stopping ...")
                machine.supervisor.stop()
        say("Stopped.")
    return 0


class _Machine:
    """One run: its state, environment and processes."""

    def __init__(
        self, var: Path, environ: Mapping[str, str], address: Address, signals: StopSignals
    ) -> None:
        self._var = var
        self._environ = environ
        self._address = address
        self._signals = signals
        self._folders = Folders.under(var)
        self.supervisor = Supervisor(self._folders, signals)

    def start(self, web_socket: socket.socket) -> None:
        """Bring everything up to the point where requests are answered."""
        started_s = time.monotonic()
        kept_demo = self._set_demo_aside()
        if taken := taken_names(self._environ):
            say(f"Taken from your environment: {', '.join(taken)}")
        if url := self._environ.get("DATABASE_URL"):
            refuse_foreign_database(url)
        state, engine_values = self._start_engines()
        values = product_environment(state, self._address, engine_values, self._environ)
        environment = child_environment(self._environ, values)
        write_env_file(services_file(self._var), values)
        for title, command in preparations():
            say(f"{title} ...")
            self._run_step(command, environment)
        self._run_step(page_files_command(), environment)
        say("Preparing the demo organization ...")
        demo = self._seed_demo({**environment, **kept_demo})
        self._start_processes(state, environment, web_socket)
        self._write_demo({**demo, **{name: values[name] for name in _DEMO_SERVICES}})
        self._welcome(demo, time.monotonic() - started_s)

    def _start_engines(self) -> tuple[State, dict[str, str]]:
        for attempt in range(1, _START_TRIES + 1):
            state = open_state(self._var)
            engines = engines_of(state, self._environ)
            say(*(f"Starting {engine.name} ..." for engine in engines))
            try:
                children = start_engines(
                    engines, self._folders, stopping=lambda: self._signals.requested
                )
            except EngineStartError:
                # Perhaps a port was taken meanwhile: then the next try chooses another.
                if attempt == _START_TRIES:
                    raise
                continue
            for child in children:
                self.supervisor.adopt(child, stage=STAGE_ENGINE)
            values: dict[str, str] = {}
            for engine in engines:
                values.update(engine.environment())
            return state, values
        raise AssertionError("unreachable")

    def _run_step(self, command: tuple[str, ...], environment: Mapping[str, str]) -> str:
        """Run a command to its end and return its standard output.

        Raises:
            EmbeddedError: It failed; with the end of its messages.
            StopRequestedError: A stop signal arrived; the command was ended.
        """
        log = self._folders.log("setup")
        with tempfile.TemporaryFile("w+") as output, log.open("ab") as messages:
            log.chmod(0o600)
            process = subprocess.Popen(  # noqa: S603 - our own commands
                command,
                env=dict(environment),
                cwd=ROOT,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=messages,
                start_new_session=True,
            )
            while process.poll() is None and not self._signals.requested:
                self._signals.sleep(0.2)
            if process.poll() is None:
                process.kill()
                process.wait()
                raise StopRequestedError("Stopped.")
            output.seek(0)
            text = output.read()
        if process.returncode != 0:
            what = f"{' '.join(command[1:])} {describe_exit(process.returncode)}"
            raise EmbeddedError(f"{what}. The end of {log}:\n{last_lines(log, count=25)}")
        return text

    def _seed_demo(self, environment: Mapping[str, str]) -> dict[str, str]:
        """Create or find the demo's access data.

        What an earlier run handed out is in the command's environment, so that its key and
        passwords go on working; the database holds only hashes of them.
        """
        text = self._run_step(demo_command(), environment)
        try:
            found = json.loads(text)
        except ValueError as error:
            raise EmbeddedError("seed_demo did not print a JSON object.") from error
        values = {name: str(value) for name, value in found.items() if name.startswith("LIENZO_")}
        return {"LIENZO_BASE_URL": self._address.public_base_url, **values}

    def _start_processes(
        self, state: State, environment: Mapping[str, str], web_socket: socket.socket
    ) -> None:
        own_sandbox = not self._environ.get("SANDBOX_BASE_URL")
        table = process_table(
            environment,
            web_socket=web_socket.fileno(),
            sandbox_port=state.ports["sandbox"][0] if own_sandbox else None,
            metrics_ports=state.metrics_ports(),
        )
        host = environment.get("METRICS_HOST") or LOOPBACK
        write_targets(self._var, host, state.metrics_ports())
        say(f"Starting {', '.join(spec.name for spec, _ in table)} ...")
        for spec, stage in table:
            self.supervisor.start(spec, stage=stage)
        self._wait_until_ready([spec for spec, _ in table])

    def _wait_until_ready(self, specs: list[Spec]) -> None:
        deadline_s = time.monotonic() + _READY_TIMEOUT_S
        while not _answers(self._address):
            self.supervisor.tick()
            if self._signals.requested:
                raise StopRequestedError("Stopped.")
            failing = [s.name for s in specs if self.supervisor.failures(s.name)]
            for name in failing:
                if self.supervisor.failures(name) >= _MAX_START_FAILURES:
                    raise self._start_error(name, "does not start")
            if time.monotonic() >= deadline_s:
                raise self._start_error("web", f"not ready after {_READY_TIMEOUT_S:.0f} s")
            self._signals.sleep(0.1)

    def _start_error(self, name: str, what: str) -> EmbeddedError:
        log = self._folders.log(name)
        return EmbeddedError(f"{name}: {what}. The end of {log}:\n{last_lines(log, count=25)}")

    def _set_demo_aside(self) -> dict[str, str]:
        """Remove ``demo.env`` until we are ready again, keeping what it says."""
        with contextlib.suppress(FileNotFoundError):
            self._demo_file.replace(self._kept_file)
        return {
            name: value
            for name, value in read_env_file(self._kept_file).items()
            if name.startswith("LIENZO_")
        }

    def _write_demo(self, values: Mapping[str, str]) -> None:
        write_env_file(self._demo_file, values)
        self._kept_file.unlink(missing_ok=True)

    @property
    def _demo_file(self) -> Path:
        return self._var / "demo.env"

    @property
    def _kept_file(self) -> Path:
        return self._folders.records / "demo.env"

    def _welcome(self, demo: Mapping[str, str], took_s: float) -> None:
        body = '{"model": "fal/flux-1.1-pro", "prompt": "a lighthouse at dusk"}'
        say(
            "",
            f"Lienzo is ready at {demo['LIENZO_BASE_URL']} (after {took_s:.0f} s). "
            "Ctrl-C stops it; data stays.",
            f"Access data: {self._demo_file}   Logs: {self._folders.logs}",
            "Try it:",
            "",
            f"curl {demo['LIENZO_BASE_URL']}/v1/images/generations \\",
            f'  -H "Authorization: Bearer {demo.get("LIENZO_API_KEY", "")}" \\',
            f"  -H 'Content-Type: application/json' -d '{body}'",
            "",
        )


def _answers(address: Address) -> bool:
    host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(address.host, address.host)  # noqa: S104 - mapped away
    connection = http.client.HTTPConnection(host, address.port, timeout=2)
    try:
        connection.request("GET", "/readyz")
        return connection.getresponse().status == _HTTP_OK
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()
