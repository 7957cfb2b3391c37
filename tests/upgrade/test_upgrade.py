"""The last release is replaced by this one while requests go on."""

import contextlib
import json
import os
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import psycopg
import pytest
import requests
from openai import OpenAI, OpenAIError

from embedded.children import Child, Folders, Spec, stop_all
from embedded.environment import without_settings
from embedded.ports import choose_ports, listen
from embedded.processes import ROOT, child_environment
from embedded.session import kept_services, remove_state
from tests.upgrade.released import read_release

HOST = "127.0.0.1"
_PAUSE_S = 0.25
_PHASE_S = 6.0
# The commands of a release are its own.
_TABLE = """
import json, os, sys
from embedded.processes import preparations, process_table
table = process_table(os.environ, web_socket=int(sys.argv[1]), sandbox_port=int(sys.argv[2]))
print(json.dumps({
    "preparations": [command for _, command in preparations()],
    "processes": {spec.name: spec.argv for spec, _ in table},
}))
"""


@dataclass(frozen=True, slots=True)
class Version:
    """A release's files, and its commands with the socket and port of this test."""

    name: str
    folder: Path
    preparations: list[list[str]]
    processes: dict[str, list[str]]

    @classmethod
    def at(
        cls, name: str, folder: Path, environment: Mapping[str, str], socket: int, port: int
    ) -> "Version":
        """Ask a release for its commands."""
        done = subprocess.run(
            (sys.executable, "-c", _TABLE, str(socket), str(port)),
            cwd=folder,
            env=dict(environment),
            check=True,
            capture_output=True,
            text=True,
        )
        return cls(name, folder, **json.loads(done.stdout))

    def prepare(self, environment: Mapping[str, str]) -> None:
        """Migrate and bootstrap."""
        for command in self.preparations:
            subprocess.run(command, cwd=self.folder, env=dict(environment), check=True)

    def manage(self, environment: Mapping[str, str], *words: str) -> str:
        """Run a management command; return its output."""
        return subprocess.run(
            (sys.executable, "manage.py", *words),
            cwd=self.folder,
            env=dict(environment),
            check=True,
            capture_output=True,
            text=True,
        ).stdout

    def spec(self, name: str, environment: Mapping[str, str], socket: int) -> Spec:
        """Return what to start for one process; what it does may take as long as it needs."""
        return Spec(
            name=f"{name}-{self.name}",
            argv=tuple(self.processes[name]),
            env=environment,
            cwd=self.folder,
            pass_fds=(socket,) if name == "web" else (),
            stop_grace_s=120.0,
        )


@dataclass
class Traffic:
    """A caller with the official client, as anybody sets it up, one request after another."""

    base_url: str
    key: str
    made: list[str] = field(default_factory=list)
    failed: list[str] = field(default_factory=list)

    @contextlib.contextmanager
    def flowing(self, callers: int) -> Iterator[None]:
        """Keep calling while the block runs; let every call end."""
        ending = threading.Event()
        threads = [
            threading.Thread(target=self._call, args=(ending, number)) for number in range(callers)
        ]
        for thread in threads:
            thread.start()
        try:
            yield
        finally:
            ending.set()
            for thread in threads:
                thread.join()

    def _call(self, ending: threading.Event, number: int) -> None:
        client = OpenAI(base_url=f"{self.base_url}/v1", api_key=self.key, timeout=120)
        while not ending.is_set():
            prompt = f"caller {number}, picture {len(self.made)} at {time.monotonic_ns()}"
            try:
                image = client.images.generate(model="fal/flux-1.1-pro", prompt=prompt)
                assert image.data is not None
                self.made.append(str(image.data[0].url))
            except OpenAIError as error:
                self.failed.append(f"{prompt}: {error!r}")
            ending.wait(_PAUSE_S)


@dataclass
class Running:
    """What runs, by the names of processes and releases."""

    folders: Folders
    environment: Mapping[str, str]
    socket: int
    children: dict[str, Child] = field(default_factory=dict)

    def start(self, version: Version, *names: str) -> None:
        """Start processes of a release."""
        for name in names:
            spec = version.spec(name, self.environment, self.socket)
            self.children[spec.name] = Child(spec, self.folders)

    def replace(self, name: str, *, old: Version, new: Version) -> None:
        """Start a process of the new release, and only then let the old one end its work."""
        self.start(new, name)
        time.sleep(_PHASE_S)
        stop_all([self.children.pop(f"{name}-{old.name}")])


@pytest.mark.big
@pytest.mark.timeout(600)
def test_an_upgrade_and_its_undoing_fail_no_request():
    release = read_release()
    if not release.has_history():
        pytest.skip("this copy of the sources has no history")
    folder = Path(tempfile.mkdtemp(prefix="lienzo-upgrade-"))
    folder.chmod(0o711)
    old_files = folder / "old"
    old_files.mkdir()
    release.unpack(old_files)
    port, sandbox_port = choose_ports(2)
    environ = {
        **without_settings(os.environ),
        "PORT": str(port),
        "LIENZO_VAR": str(folder / "var"),
        "WEB_PROCESSES": "1",
        "DATABASE_POOL_SIZE": "5",
    }
    try:
        with (
            kept_services(folder / "var", environ) as values,
            listen(HOST, port) as web_socket,
        ):
            sandbox = {"SANDBOX_BASE_URL": f"http://{HOST}:{sandbox_port}"}
            environment = child_environment(environ, {**values, **sandbox})
            socket = web_socket.fileno()
            old = Version.at("old", old_files, environment, socket, sandbox_port)
            new = Version.at("new", ROOT, environment, socket, sandbox_port)
            running = Running(Folders.under(folder / "var"), environment, socket)
            try:
                _upgrade(running, old, new, f"http://{HOST}:{port}")
            finally:
                stop_all(list(running.children.values()))
    finally:
        remove_state(folder)


def _upgrade(running: Running, old: Version, new: Version, base_url: str) -> None:
    environment = running.environment
    serving = ("web", "worker", "sweeper", "dispatcher")
    old.prepare(environment)
    running.start(old, "sandbox", *serving)
    _wait_until_ready(base_url)
    made = json.loads(
        old.manage(environment, "create_org", "Upgrade", "--currency", "USD", "--json")
    )
    old.manage(environment, "top_up", made["id"], "1000")
    key = json.loads(old.manage(environment, "create_api_key", made["id"], "--json"))["key"]
    traffic = Traffic(base_url, key)
    counts = []
    with traffic.flowing(4):
        time.sleep(_PHASE_S)
        new.prepare(environment)
        # The last release goes on with tables of this one.
        time.sleep(_PHASE_S)
        counts.append(len(traffic.made))
        for name in serving:
            running.replace(name, old=old, new=new)
        time.sleep(_PHASE_S)
        counts.append(len(traffic.made))
        # And back again, without touching the tables.
        for name in serving:
            running.replace(name, old=new, new=old)
        time.sleep(_PHASE_S)
        counts.append(len(traffic.made))

    assert traffic.failed == []
    assert 0 < counts[0] < counts[1] < counts[2]
    assert len(set(traffic.made)) == len(traffic.made)
    _check_books(environment["DATABASE_URL"], made["id"], images=len(traffic.made))
    new.manage(environment, "verify_ledger", "--objects")


def _check_books(url: str, organization_id: str, *, images: int) -> None:
    with psycopg.connect(url) as session:
        row = session.execute(
            "SELECT count(*) FILTER (WHERE status = 'succeeded'), count(*)"
            " FROM gateway_generation WHERE organization_id = %s",
            [organization_id],
        ).fetchone()
        captures = session.execute(
            "SELECT count(*) FROM billing_journalentry WHERE kind = 'capture'"
        ).fetchone()
    assert row == (images, images)
    assert captures == (images,)


def _wait_until_ready(base_url: str) -> None:
    deadline = time.monotonic() + 90
    while True:
        with contextlib.suppress(requests.RequestException):
            if requests.get(f"{base_url}/readyz", timeout=5).status_code == 200:
                return
        assert time.monotonic() < deadline, "the last release does not serve"
        time.sleep(0.3)
