"""Rolling restarts and orders, with a table of small real processes."""

import json
import os
import signal
import sys
import threading
import time

import pytest

from embedded.children import Folders, Spec, recorded_pid, write_record
from embedded.errors import EmbeddedError
from embedded.orders import Orders, give
from embedded.rolling import Rolling
from embedded.signals import StopSignals
from embedded.state import supervisor_record
from embedded.supervisor import Supervisor
from tests.embedded.test_supervisor import pid_of, wait_for

# Serves once it has said so; told to stop it first finishes what it has begun.
SERVER = """
import os, signal, sys, time
log, name = sys.argv[1:]
def say(text):
    with open(log, "a") as file:
        file.write(f"{text} ")
def stop(*_):
    say(f"stopping-{name}")
    time.sleep(0.3)
    say(f"finished-{name}")
    sys.exit()
signal.signal(15, stop)
say(f"up-{name}")
if ready := os.environ.get("LIENZO_READY_FILE"):
    open(ready, "a").write("ready\\n")
time.sleep(60)
"""


@pytest.fixture
def folders(tmp_path):
    return Folders.under(tmp_path / "var")


@pytest.fixture
def log(tmp_path):
    return tmp_path / "events"


@pytest.fixture
def machine(folders):
    with StopSignals() as signals:
        supervisor = Supervisor(folders, signals)
        yield supervisor, Rolling(supervisor, folders, signals)
        supervisor.stop()


def start(supervisor, tmp_path, log, name, code=SERVER, **options):
    spec = Spec(
        name=name,
        argv=(sys.executable, "-c", code, str(log), name),
        env={**os.environ, "METRICS_PORT": "1"},
        cwd=tmp_path,
        announcers=1,
        **options,
    )
    supervisor.start(spec, stage=0)


def test_successor_serves_before_its_predecessor_stops(machine, folders, tmp_path, log):
    supervisor, rolling = machine
    start(supervisor, tmp_path, log, "one", overlaps=True)
    wait_for(lambda: log.exists() and "up-one" in log.read_text())
    first = pid_of(folders, "one")

    said = list(rolling.restart(["one"]))

    assert log.read_text().split() == ["up-one", "up-one", "stopping-one", "finished-one"]
    assert pid_of(folders, "one") != first
    assert said[0].startswith("one: restarted")
    assert [path.name for path in folders.records.glob("*.json")] == ["one.json"]
    # Both were there at once: each needs a port of its own.
    assert supervisor.spec("one").env["METRICS_PORT"] != "1"
    assert "LIENZO_READY_FILE" not in supervisor.spec("one").env


def test_process_of_which_there_may_be_one_stops_first(machine, folders, tmp_path, log):
    supervisor, rolling = machine
    start(supervisor, tmp_path, log, "sole")
    wait_for(lambda: log.exists() and "up-sole" in log.read_text())

    list(rolling.restart(["sole"]))

    assert log.read_text().split() == ["up-sole", "stopping-sole", "finished-sole", "up-sole"]


def test_broken_successor_leaves_its_predecessor_at_work(machine, folders, tmp_path, log):
    supervisor, rolling = machine
    program = tmp_path / "program.py"
    program.write_text(SERVER)
    code = f"exec(open({str(program)!r}).read())"
    start(supervisor, tmp_path, log, "one", code, overlaps=True)
    wait_for(lambda: log.exists() and "up-one" in log.read_text())
    first = pid_of(folders, "one")
    program.write_text("raise SystemExit('broken')")

    with pytest.raises(EmbeddedError, match="one ended with exit code 1; what ran before goes on"):
        list(rolling.restart(["one"]))

    supervisor.tick()
    assert recorded_pid(folders.record("one")) == first
    assert log.read_text().split() == ["up-one"]


def test_unknown_process_is_refused_with_those_there_are(machine, tmp_path, log):
    supervisor, rolling = machine
    for name in ("one", "two"):
        start(supervisor, tmp_path, log, name)

    with pytest.raises(EmbeddedError, match=r"Nothing called tow runs here. There are one, two\."):
        list(rolling.restart(["one", "tow"]))

    assert supervisor.failures("one") == 0


def test_held_processes_stay_dead_until_they_are_released(machine, folders, tmp_path, log):
    supervisor, _ = machine
    for name in ("a-web", "a-worker", "b-web"):
        start(supervisor, tmp_path, log, name)
    spared = pid_of(folders, "b-web")
    supervisor.hold(["a-web", "a-worker"])
    for name in ("a-web", "a-worker"):
        wait_for(lambda: not supervisor.tick() and recorded_pid(folders.record(name)) is None)  # noqa: B023 - called at once
    for _ in range(5):
        supervisor.tick()
    for name in ("a-web", "a-worker"):
        assert recorded_pid(folders.record(name)) is None

    supervisor.release(["a-web", "a-worker"])
    supervisor.tick()

    assert pid_of(folders, "a-web")
    assert pid_of(folders, "a-worker")
    assert pid_of(folders, "b-web") == spared


def test_orders_are_carried_out_and_answered(tmp_path, folders, capsys):
    var = tmp_path / "var"

    def greet(names):
        yield from (f"Hello {name}" for name in names)
        if not names:
            raise EmbeddedError("Nobody to greet.")
        if "late" in names:
            raise FileNotFoundError(2, "No such program")

    stale = folders.records / "orders"
    stale.mkdir()
    (stale / "1.order").write_text(json.dumps(["unknown"]))
    previous = signal.signal(signal.SIGCHLD, lambda *_: None)
    try:
        orders = Orders(folders, {"greet": greet})
        with pytest.raises(EmbeddedError, match="Nothing is running"):
            give(var, ["greet", "a"])
        write_record(supervisor_record(var), os.getpid())
        stopping = threading.Event()
        server = threading.Thread(target=lambda: _serve(orders, stopping))
        server.start()
        give(var, ["greet", "a", "b"])
        with pytest.raises(EmbeddedError, match="Nobody to greet"):
            give(var, ["greet"])
        # Neither takes the supervisor down, and with it all that runs.
        with pytest.raises(EmbeddedError, match="No such program"):
            give(var, ["greet", "late"])
        with pytest.raises(EmbeddedError, match="knows no order dance"):
            give(var, ["dance"])
        stopping.set()
        server.join()
    finally:
        signal.signal(signal.SIGCHLD, previous)
    # Each line is said by both sides.
    assert capsys.readouterr().out.count("Hello b\n") == 2
    assert list(stale.iterdir()) == []


def _serve(orders, stopping):
    while not stopping.is_set():
        orders.carry_out()
        time.sleep(0.02)
