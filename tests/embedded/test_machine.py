"""When a start is complete, with small real processes in place of the product's."""

import contextlib
import os
import signal
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest

from embedded.children import Folders, Spec
from embedded.environment import Address
from embedded.errors import EmbeddedError, StopRequestedError
from embedded.host import Host
from embedded.machine import Machine, Place
from embedded.signals import StopSignals
from tests.stack import wait_until

# Comes up after a while, and only the second time it is started.
LATE = """
import os, pathlib, sys, time
tried = pathlib.Path(sys.argv[1])
if not tried.exists():
    tried.touch()
    sys.exit("once is nothing")
time.sleep(0.3)
open(os.environ["LIENZO_READY_FILE"], "a").write("ready\\n")
time.sleep(60)
"""
SILENT = "import time; print('still thinking', flush=True); time.sleep(60)"
BROKEN = "raise SystemExit('no such queue')"


class Answering(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self.send_response(200)
        self.end_headers()

    def log_message(self, *_: object) -> None:
        pass


@contextlib.contextmanager
def answering() -> Iterator[HTTPServer]:
    """A web process that answers already."""
    with HTTPServer(("127.0.0.1", 0), Answering) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.02,))
        thread.start()
        yield server
        server.shutdown()
        thread.join()


@pytest.fixture
def machine(tmp_path) -> Iterator[Machine]:
    with StopSignals() as signals, answering() as web:
        address = Address("127.0.0.1", web.server_port, f"http://127.0.0.1:{web.server_port}")
        machine = Machine(Place(tmp_path / "var"), {}, [Host("", address, web.socket)], signals)
        yield machine
        machine.supervisor.stop()


def start(machine: Machine, tmp_path, name: str, code: str) -> None:
    argv = (sys.executable, "-c", code, str(tmp_path / "tried"))
    spec = Spec(name=name, argv=argv, env=dict(os.environ), cwd=tmp_path, announcers=1)
    machine.supervisor.start(spec, stage=0)


def test_start_waits_for_every_process_and_not_for_web_alone(machine, tmp_path):
    start(machine, tmp_path, "worker", LATE)

    machine.wait_until_ready(["worker"], timeout_s=20)

    assert machine.supervisor.serves("worker")
    assert machine.supervisor.failures("worker") == 1


def test_process_that_dies_again_and_again_is_named_with_its_log(machine, tmp_path):
    start(machine, tmp_path, "worker", BROKEN)

    with pytest.raises(
        EmbeddedError, match=r"^worker: does not start\.[^$]*no such queue"
    ) as failed:
        machine.wait_until_ready(["worker"], timeout_s=20)

    assert str(Folders.under(tmp_path / "var").log("worker")) in str(failed.value)
    # Nothing is left of those that died.
    machine.supervisor.stop()
    assert list((tmp_path / "var" / "run").glob("*.ready")) == []


def test_process_that_does_not_come_up_is_named_when_the_time_is_over(machine, tmp_path):
    for name in ("worker", "beat"):
        start(machine, tmp_path, name, SILENT)
    log = Folders.under(tmp_path / "var").log("worker")
    wait_until(lambda: "thinking" in log.read_text(), "it has begun")

    with pytest.raises(
        EmbeddedError,
        match=r"^worker: not ready after 1 s \(nor beat\)\..*worker\.log:\n +still thinking",
    ):
        machine.wait_until_ready(["worker", "beat"], timeout_s=0.6)


def test_stop_signal_ends_the_wait(machine, tmp_path):
    start(machine, tmp_path, "worker", SILENT)
    threading.Timer(0.2, os.kill, (os.getpid(), signal.SIGINT)).start()

    with pytest.raises(StopRequestedError):
        machine.wait_until_ready(["worker"], timeout_s=20)
