"""The whole product as real processes, for tests: one stack per pytest process, started on demand.

A database of its own, two web processes, one worker, the sweeper, the sandbox (for test keys) and
the tests' own upstream (for live keys), on the engines of `tests.services`; or, for the test of the
whole catalog, the sandbox's emulators in its place. Nothing is ever flushed: each test opens an
organization of its own and looks at nothing else.
"""

import contextlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import psycopg
import redis
import requests
from pytest_django import DjangoDbBlocker

from core.clock import now
from embedded.children import Child, Folders, Spec, stop_all
from embedded.ports import choose_ports, listen
from embedded.processes import ROOT, child_environment, page_files_command, process_table
from embedded.state import PROCESSES
from gateway.models import Breaker, Process
from gateway.providers.registry import PROVIDERS
from gateway.services.breakers import FIRST_COOLDOWN_S, REFRESH_S
from tests.openid import CLIENT_ID, CLIENT_SECRET
from tests.templates import create_database, on_database, working_on
from tests.upstream import FAL_KEY, IDEOGRAM_KEY, OPENAI_KEY

READY_S = 60.0
STOP_S = 1.0
WEB_PROCESSES = 2
VALKEY_DATABASES = 16
# The last two are a test's own: a receiver of webhooks, see `tests.orgs.receiver`, and an identity
# provider, see `tests.openid`.
SOCKETS = ("web", "sandbox", "upstream", "receiver", "identity")
PREFIXES = ("OPENAI", "AZURE_OPENAI", "GEMINI", "XAI", "FAL", "BFL", "STABILITY", "IDEOGRAM")
SANDBOX_PATHS = {"OPENAI": "/openai/v1", "XAI": "/xai/v1"}


def wait_until(
    probe: Callable[[], Any], what: str, *, timeout_s: float = 60.0, every_s: float = 0.03
) -> Any:
    """Poll until ``probe`` returns something true, and return it."""
    deadline_s = time.monotonic() + timeout_s
    while not (found := probe()):
        assert time.monotonic() < deadline_s, f"waited {timeout_s:.0f} s in vain: {what}"
        time.sleep(every_s)
    return found


class UpstreamControl:
    """The rules and the log of the tests' own upstream."""

    def __init__(self, url: str) -> None:
        self.url = url

    def rule(self, contains: str, **rule: object) -> None:
        """Make calls whose prompt contains a text behave; see `tests.upstream.Rule`."""
        body = {"contains": contains, **rule}
        requests.post(f"{self.url}/_rules", json=body, timeout=10).raise_for_status()

    def release(self, contains: str) -> None:
        """Let held calls go on."""
        answer = requests.post(f"{self.url}/_release", params={"contains": contains}, timeout=10)
        answer.raise_for_status()

    def calls(self, contains: str) -> list[dict[str, Any]]:
        """Return the generation calls whose prompt contains a text, in order."""
        answer = requests.get(f"{self.url}/_calls", params={"contains": contains}, timeout=10)
        return list(answer.json())

    def wait_for_call(self, contains: str, *, count: int = 1) -> None:
        """Wait until so many calls have arrived."""
        wait_until(lambda: len(self.calls(contains)) >= count, f"{count} calls of {contains}")


class Stack:
    """The running product. `url` is its address, without ``/v1``; `settings` win over its own.

    ``left_out`` are processes that a test has no need of.
    """

    def __init__(
        self,
        folder: Path,
        blocker: DjangoDbBlocker,
        environ: Mapping[str, str],
        *,
        is_emulated: bool = False,
        web_processes: int = WEB_PROCESSES,
        settings: Mapping[str, str] | None = None,
        left_out: Collection[str] = (),
    ) -> None:
        self._blocker = blocker
        self._is_emulated = is_emulated
        self._web_processes = web_processes
        self._settings = settings or {}
        self._left_out = {"beat", *left_out}
        self._folders = Folders.under(folder)
        self._sockets = {name: listen("127.0.0.1", 0) for name in SOCKETS}
        self._children: dict[str, Child] = {}
        self.database_name = f"stack_{uuid4().hex}"
        self.url = self._address("web")
        self.sandbox_url = self._address("sandbox")
        self.upstream = UpstreamControl(self._address("upstream"))
        ports = choose_ports(len(PROCESSES))
        self.metrics_ports = dict(zip(PROCESSES, ports, strict=True))
        self.receiver = self._sockets["receiver"]
        self.identity = self._sockets["identity"]
        self._engine_url = environ["DATABASE_URL"]
        self.environment = self._environment(folder, environ)
        self._specs = self._make_specs()

    def _address(self, name: str) -> str:
        return f"http://127.0.0.1:{self._port(name)}"

    def _port(self, name: str) -> int:
        return int(self._sockets[name].getsockname()[1])

    def _environment(self, folder: Path, environ: Mapping[str, str]) -> dict[str, str]:
        values = {
            "DATABASE_URL": on_database(environ["DATABASE_URL"], self.database_name),
            "REDIS_URL": _own_valkey(environ["REDIS_URL"]),
            "LIENZO_VAR": str(folder),
            "PORT": str(self._port("web")),
            "PUBLIC_BASE_URL": self.url,
            "S3_PUBLIC_BASE_URL": f"{self.url}/{environ['S3_BUCKET']}",
            "SANDBOX_BASE_URL": self.sandbox_url,
            "STRIPE_BASE_URL": f"{self.sandbox_url}/stripe",
            "STRIPE_CHECKOUT_URL": self.sandbox_url,
            "STRIPE_SECRET_KEY": "sk_test_stack",
            "STRIPE_WEBHOOK_SECRET": "whsec_stack",
            "STRIPE_WEBHOOK_URL": f"{self.url}/stripe/webhook",
            **(self._emulators() if self._is_emulated else self._own_upstreams()),
            "WEBHOOK_ALLOWED_TARGETS": f"127.0.0.1:{self._port('receiver')}",
            "OIDC_ISSUER_URL": self._address("identity"),
            "OIDC_CLIENT_ID": CLIENT_ID,
            "OIDC_CLIENT_SECRET": CLIENT_SECRET,
            "OIDC_NAME": "Sign in with Acme",
            "FORBID_NETWORK_IN_TRANSACTION": "1",
            "WEB_PROCESSES": str(self._web_processes),
            "WORKER_POOL_SIZE": "400",
            **self._settings,
        }
        return child_environment(environ, values)

    def _own_upstreams(self) -> dict[str, str]:
        """Point the providers with most traffic at the tests' own upstream."""
        return {
            "OPENAI_BASE_URL": f"{self.upstream.url}/openai/v1",
            "OPENAI_API_KEY": OPENAI_KEY,
            "FAL_BASE_URL": f"{self.upstream.url}/fal",
            "FAL_API_KEY": FAL_KEY,
            "IDEOGRAM_BASE_URL": f"{self.upstream.url}/ideogram",
            "IDEOGRAM_API_KEY": IDEOGRAM_KEY,
        }

    def _emulators(self) -> dict[str, str]:
        """Point every provider at its emulator in the sandbox, as a real one: live keys pay."""
        values = {}
        for prefix in PREFIXES:
            path = SANDBOX_PATHS.get(prefix, f"/{prefix.lower()}")
            values[f"{prefix}_BASE_URL"] = f"{self.sandbox_url}{path}"
            values[f"{prefix}_API_KEY"] = "emulated"
        return values

    def _make_specs(self) -> dict[str, Spec]:
        table = process_table(
            self.environment,
            web_socket=self._sockets["web"].fileno(),
            sandbox_port=None,
            metrics_ports=self.metrics_ports,
        )
        specs = {spec.name: spec for spec, _ in table if spec.name not in self._left_out}
        for name, module in (("upstream", "tests.upstream"), ("sandbox", "sandbox")):
            descriptor = self._sockets[name].fileno()
            specs[name] = replace(
                specs["worker"],
                name=name,
                argv=(sys.executable, "-m", module, "--fd", str(descriptor)),
                pass_fds=(descriptor,),
            )
        return specs

    def start(self) -> None:
        """Create the database, start every process, wait until requests are served."""
        create_database(self.database_name, {**self.environment, "DATABASE_URL": self._engine_url})
        subprocess.run(page_files_command(), env=self.environment, cwd=ROOT, check=True)
        for name in self._specs:
            self._children[name] = Child(self._specs[name], self._folders)
        self.wait_until_ready()

    def stop(self) -> None:
        """End every process and drop the database."""
        started_s = time.monotonic()
        stop_all(self._children.values(), hurry=lambda: time.monotonic() - started_s > STOP_S)
        for server in self._sockets.values():
            server.close()
        with psycopg.connect(self._engine_url, autocommit=True) as session:
            session.execute(f'DROP DATABASE "{self.database_name}" WITH (FORCE)')

    def wait_until_ready(self) -> None:
        """Wait until both web processes and the worker hold a lease, and the web answers."""
        deadline_s = time.monotonic() + READY_S
        while not self._is_ready():
            ended = [name for name, one in self._children.items() if one.exit_code() is not None]
            assert not ended, f"ended: {ended}\n{self.log_tails()}"
            assert time.monotonic() < deadline_s, f"not ready in time\n{self.log_tails()}"
            time.sleep(0.05)

    def _is_ready(self) -> bool:
        with contextlib.suppress(requests.RequestException):
            answer = requests.get(f"{self.url}/readyz", timeout=5)
            wanted = {"web": self._web_processes, "worker": 1}
            return answer.status_code == 200 and all(
                len(self.process_ids(kind)) == count for kind, count in wanted.items()
            )
        return False

    def process_ids(self, kind: str) -> dict[UUID, int]:
        """Return the pid of each living web or worker process, by its row's id."""
        with self.database():
            rows = Process.objects.filter(kind=kind, ended_at__isnull=True)
            pids = dict(rows.values_list("id", "pid"))
        return {row: pid for row, pid in pids.items() if _is_alive(pid)}

    def kill_web_process(self, process_id: UUID) -> None:
        """Kill one of the web processes with SIGKILL; gunicorn starts another."""
        os.kill(self.process_ids("web")[process_id], signal.SIGKILL)

    def restart(self, name: str) -> None:
        """Kill a process with all it spawned, by SIGKILL, and start it again on its socket."""
        self.kill(name)
        self.start_again(name)

    def kill(self, name: str) -> None:
        """Kill a process with all it spawned; its listening socket stays open."""
        self._children.pop(name).finish()

    def start_again(self, name: str) -> None:
        """Start a killed process."""
        self._children[name] = Child(self._specs[name], self._folders)
        self.wait_until_ready()

    def close_breakers(self) -> None:
        """Forget the providers' failures so far, as each test starts with working providers."""
        moment = now()
        closed = {"is_open": False, "closed_at": moment}
        with self.database():
            any_open = Breaker.objects.filter(is_open=True).exists()
            for provider in PROVIDERS:
                Breaker.objects.update_or_create(
                    provider=provider,
                    defaults=closed,
                    create_defaults={
                        **closed,
                        "failures": 0,
                        "calls": 0,
                        "opened_at": moment,
                        "retry_at": moment,
                        "cooldown_s": FIRST_COOLDOWN_S,
                    },
                )
        if any_open:
            # Processes look at the rows once a second.
            time.sleep(REFRESH_S + 0.2)

    def sandbox_calls(self, contains: str) -> int:
        """Count the generation calls that the sandbox got for a prompt."""
        answer = requests.get(f"{self.sandbox_url}/_log", params={"contains": contains}, timeout=10)
        return int(answer.json()["count"])

    @contextlib.contextmanager
    def database(self) -> Iterator[None]:
        """Let this process's models and services work on the stack's database, with commits."""
        with self._blocker.unblock(), working_on(self.database_name):
            yield

    def log_sizes(self) -> dict[str, int]:
        """Return how long each log is, to show later what came after."""
        return {path.name: path.stat().st_size for path in self._folders.logs.glob("*.log")}

    def log_lines(self, name: str, since: Mapping[str, int]) -> list[str]:
        """Return what a process has logged since the logs had these lengths."""
        path = self._folders.log(name)
        text = path.read_bytes()[since.get(path.name, 0) :].decode("utf-8", "replace")
        return text.split("\n")

    def log_tails(self, since: Mapping[str, int] | None = None, *, limit: int = 6_000) -> str:
        """Return the end of every log, of at most ``limit`` bytes each."""
        parts = []
        for path in sorted(self._folders.logs.glob("*.log")):
            text = path.read_bytes()[(since or {}).get(path.name, 0) :][-limit:]
            if text.strip():
                parts.append(f"--- {path.name}\n{text.decode('utf-8', 'replace')}")
        return "\n".join(parts)


def _own_valkey(url: str) -> str:
    """Return one of Valkey's databases that nobody else uses: messages wake the workers of all.

    The first is what other tests publish to.
    """
    with redis.Redis.from_url(url) as client:
        number = client.incr("stacks")
    assert number < VALKEY_DATABASES
    return on_database(url, str(number))


def _is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True
