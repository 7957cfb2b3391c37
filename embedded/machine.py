"""Everything from nothing to serving, under one supervisor, for one host or several."""

import contextlib
import json
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from embedded.children import Folders, Spec
from embedded.database import refuse_foreign_database
from embedded.engines import start_engines
from embedded.environment import product_environment, taken_names
from embedded.errors import EmbeddedError, EngineStartError, StopRequestedError
from embedded.files import last_lines, read_env_file, write_env_file
from embedded.host import Host, services_table
from embedded.orders import Handler, Orders
from embedded.ports import LOOPBACK, accepts_connections
from embedded.processes import (
    ROOT,
    STAGE_ENGINE,
    STAGE_WORK,
    child_environment,
    demo_command,
    page_files_command,
    preparations,
)
from embedded.rolling import Rolling
from embedded.scraping import write_targets
from embedded.session import engines_of
from embedded.signals import StopSignals
from embedded.started import write_started
from embedded.state import State, demo_file, fresh_metrics_ports, open_state, services_file
from embedded.supervisor import Supervisor, describe_exit, say

_READY_TIMEOUT_S = 120.0
_MAX_START_FAILURES = 3
_START_TRIES = 3
_DEMO_SERVICES = ("DATABASE_URL", "REDIS_URL", "S3_ENDPOINT_URL")


@dataclass(frozen=True, slots=True)
class Place:
    """Where services keep their data and listen.

    Attributes:
        var: The state folder.
        address: The address on which services listen.
        clients: The network that may use PostgreSQL.
        images_from_s3: Whether public images come from S3 itself, as web passes them through on
            the host of `PUBLIC_BASE_URL` alone.
    """

    var: Path
    address: str = LOOPBACK
    clients: str = f"{LOOPBACK}/32"
    images_from_s3: bool = False


class Machine:
    """One run: its state, environment, hosts and their processes."""

    def __init__(
        self, place: Place, environ: Mapping[str, str], hosts: Sequence[Host], signals: StopSignals
    ) -> None:
        self._place = place
        self._var = place.var
        self._environ = environ
        self._hosts = hosts
        self._address = hosts[0].address
        self._signals = signals
        self._folders = Folders.under(place.var)
        self.supervisor = Supervisor(self._folders, signals)

    def start(self) -> None:
        """Bring everything up to the point where requests are answered."""
        started_s = time.monotonic()
        kept_demo = self._set_demo_aside()
        if taken := taken_names(self._environ):
            say(f"Taken from your environment: {', '.join(taken)}")
        if url := self._environ.get("DATABASE_URL"):
            refuse_foreign_database(url)
        state, engine_values = self._start_engines()
        values = product_environment(state, self._address, engine_values, self._environ)
        if self._place.images_from_s3 and not self._environ.get("S3_PUBLIC_BASE_URL"):
            values["S3_PUBLIC_BASE_URL"] = f"{values['S3_ENDPOINT_URL']}/{values['S3_BUCKET']}"
        environment = child_environment(self._environ, values)
        write_env_file(services_file(self._var), values)
        write_started(self._var, self._environ)
        for title, command in preparations():
            say(f"{title} ...")
            self._run_step(command, environment)
        self._run_step(page_files_command(), environment)
        say("Preparing the demo organization ...")
        demo = self._seed_demo({**environment, **kept_demo})
        self._start_processes(state, environment)
        self._write_demo(
            {
                **demo,
                **{
                    f"LIENZO_BASE_URL_{host.name.upper()}": host.address.own_url
                    for host in self._hosts
                    if host.name
                },
                **{name: values[name] for name in _DEMO_SERVICES},
            }
        )
        self._welcome(demo, time.monotonic() - started_s)

    def supervise(self, handlers: Mapping[str, Handler]) -> None:
        """Keep everything up and carry out orders until a stop is requested."""
        orders = Orders(self._folders, handlers)
        self.supervisor.run(orders.carry_out)

    def restart(self, names: Sequence[str]) -> Iterator[str]:
        """Restart processes one after another, saying what is done."""
        rolling = Rolling(self.supervisor, self._folders, self._signals)
        for line in rolling.restart(names):
            # Successors show their metrics elsewhere.
            write_targets(self._var, self.supervisor.specs(STAGE_WORK))
            yield line

    def _start_engines(self) -> tuple[State, dict[str, str]]:
        for attempt in range(1, _START_TRIES + 1):
            state = open_state(self._var, address=self._place.address, clients=self._place.clients)
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
            for engine, child in zip(engines, children, strict=True):
                self.supervisor.adopt(child, stage=STAGE_ENGINE, is_ready=engine.is_ready)
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

    def _start_processes(self, state: State, environment: Mapping[str, str]) -> None:
        table: list[tuple[Spec, int]] = []
        probes: dict[str, Callable[[], bool]] = {}
        if not self._environ.get("SANDBOX_BASE_URL"):
            table += services_table(state, environment, self._hosts[0].web_socket)
            [port] = state.ports["sandbox"]
            probes = {
                spec.name: partial(accepts_connections, port, state.address) for spec, _ in table
            }
        for host in self._hosts:
            # Two hosts may be one address of loopback.
            ports = state.metrics_ports() if host is self._hosts[0] else fresh_metrics_ports()
            table += [(spec, STAGE_WORK) for spec in host.table(environment, ports)]
        say(f"Starting {', '.join(spec.name for spec, _ in table)} ...")
        for spec, stage in table:
            self.supervisor.start(spec, stage=stage, is_ready=probes.get(spec.name))
        write_targets(self._var, self.supervisor.specs(STAGE_WORK))
        self.wait_until_ready([spec.name for spec, _ in table])

    def wait_until_ready(
        self, names: Sequence[str], *, timeout_s: float = _READY_TIMEOUT_S
    ) -> None:
        """Wait until every one of the supervisor's children has come up, all at one moment.

        Raises:
            EmbeddedError: One dies again and again, or does not come up in time; with the end of
                its log.
            StopRequestedError: A stop signal arrived.
        """
        deadline_s = time.monotonic() + timeout_s
        while missing := self._missing(names):
            self.supervisor.tick()
            if self._signals.requested:
                raise StopRequestedError("Stopped.")
            for name in names:
                if self.supervisor.failures(name) >= _MAX_START_FAILURES:
                    raise self._start_error(name, "does not start")
            if time.monotonic() >= deadline_s:
                others = f" (nor {', '.join(missing[1:])})" if missing[1:] else ""
                what = f"not ready after {timeout_s:.0f} s{others}"
                raise self._start_error(missing[0], what)
            self._signals.sleep(0.1)

    def _missing(self, names: Sequence[str]) -> list[str]:
        """Return who has not come up. Web is asked from the beginning: its first answer is slow."""
        silent = [host.child("web") for host in self._hosts if not host.answers()]
        return silent or [name for name in names if not self.supervisor.serves(name)]

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
        return demo_file(self._var)

    @property
    def _kept_file(self) -> Path:
        return self._folders.records / "demo.env"

    def _welcome(self, demo: Mapping[str, str], took_s: float) -> None:
        body = '{"model": "fal/flux-1.1-pro", "prompt": "a lighthouse at dusk"}'
        named = [f"Host {host.name}: {host.address.own_url}" for host in self._hosts if host.name]
        say(
            "",
            f"Lienzo is ready at {demo['LIENZO_BASE_URL']} (after {took_s:.0f} s). "
            "Ctrl-C stops it; data stays.",
            *named,
            f"Access data: {self._demo_file}   Logs: {self._folders.logs}",
            "Try it:",
            "",
            f"curl {demo['LIENZO_BASE_URL']}/v1/images/generations \\",
            f'  -H "Authorization: Bearer {demo.get("LIENZO_API_KEY", "")}" \\',
            f"  -H 'Content-Type: application/json' -d '{body}'",
            "",
        )
