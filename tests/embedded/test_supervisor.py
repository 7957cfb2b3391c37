"""The supervisor with a table of small real processes."""

import os
import signal
import sys
import time

import psutil
import pytest

from embedded.children import (
    Child,
    Folders,
    Spec,
    end_leftovers,
    recorded_pid,
    start_time,
    stop_all,
    write_record,
)
from embedded.signals import StopSignals
from embedded.supervisor import Supervisor, restart_delay_s

SLEEP = "import time; time.sleep(60)"
STUBBORN = "import signal, time; signal.signal(15, signal.SIG_IGN); print(1, flush=True)\n" + SLEEP
PARENT = f"import subprocess, sys; subprocess.Popen([sys.executable, '-c', {SLEEP!r}])\n" + SLEEP


def spec(name, code, tmp_path, **options):
    argv = (sys.executable, "-c", code)
    return Spec(name=name, argv=argv, env=dict(os.environ), cwd=tmp_path, **options)


def wait_for(condition, timeout_s=30.0):
    deadline_s = time.monotonic() + timeout_s
    while not condition():
        assert time.monotonic() < deadline_s, "timed out"
        time.sleep(0.01)


@pytest.fixture
def folders(tmp_path):
    return Folders.under(tmp_path / "var")


@pytest.fixture
def supervisor(folders):
    with StopSignals() as signals:
        supervisor = Supervisor(folders, signals)
        yield supervisor
        supervisor.stop()


def pid_of(folders, name):
    pid = recorded_pid(folders.record(name))
    assert pid is not None
    return pid


def tick_until(supervisor, condition, timeout_s=30.0):
    def step():
        supervisor.tick()
        return condition()

    wait_for(step, timeout_s)


def test_killed_child_is_restarted_at_once(supervisor, folders, tmp_path):
    supervisor.start(spec("one", SLEEP, tmp_path), stage=0)
    record = folders.record("one")
    first = pid_of(folders, "one")
    os.kill(first, signal.SIGKILL)
    # Until it is dead, and leaving its status to the supervisor.
    os.waitid(os.P_PID, first, os.WEXITED | os.WNOWAIT)
    supervisor.tick()
    assert recorded_pid(record) not in {None, first}


def test_child_that_keeps_dying_is_restarted_ever_later(supervisor, tmp_path):
    assert [restart_delay_s(failures) for failures in range(8)] == [0, 0.5, 1, 2, 4, 8, 10, 10]
    runs = tmp_path / "runs"
    code = f"open({str(runs)!r}, 'a').write('x')"
    supervisor.start(spec("dying", code, tmp_path), stage=0)
    started_s = time.monotonic()
    tick_until(supervisor, lambda: runs.exists() and len(runs.read_text()) == 3)
    assert time.monotonic() - started_s >= 0.5


def test_stopped_child_is_left_alone(supervisor, folders, tmp_path):
    supervisor.start(spec("frozen", SLEEP, tmp_path), stage=0)
    pid = pid_of(folders, "frozen")
    os.kill(pid, signal.SIGSTOP)
    for _ in range(20):
        supervisor.tick()
        time.sleep(0.01)
    assert recorded_pid(folders.record("frozen")) == pid
    assert supervisor.failures("frozen") == 0


def test_descendants_of_a_dead_child_are_ended(supervisor, folders, tmp_path):
    supervisor.start(spec("parent", PARENT, tmp_path), stage=0)
    leader = pid_of(folders, "parent")
    wait_for(lambda: len(_members(leader)) == 2)
    orphan = next(pid for pid in _members(leader) if pid != leader)
    os.kill(leader, signal.SIGKILL)
    tick_until(supervisor, lambda: start_time(orphan) is None)


def _members(group):
    return [pid for pid in psutil.pids() if _group_of(pid) == group]


def _group_of(pid):
    try:
        return os.getpgid(pid)
    except ProcessLookupError:
        return None


def test_stages_stop_in_order(folders, tmp_path):
    log = tmp_path / "order"
    code = (
        "import signal, sys, time\n"
        f"def stop(*_): open({str(log)!r}, 'a').write(sys.argv[1]); sys.exit()\n"
        "signal.signal(15, stop); print('up', flush=True); time.sleep(60)"
    )
    with StopSignals() as signals:
        supervisor = Supervisor(folders, signals)
        for name, stage in (("e", 2), ("s", 1), ("w", 0)):
            argv = (sys.executable, "-c", code, name)
            child = Spec(name=name, argv=argv, env=dict(os.environ), cwd=tmp_path)
            supervisor.start(child, stage=stage)
            wait_for(lambda name=name: folders.log(name).read_text() == "up\n")
        supervisor.stop()
    assert log.read_text() == "wse"
    assert list(folders.records.glob("*.json")) == []


def test_child_that_does_not_stop_is_killed_after_its_grace(folders, tmp_path):
    child = Child(spec("stubborn", STUBBORN, tmp_path, stop_grace_s=0.3), folders)
    wait_for(lambda: folders.log("stubborn").read_text() == "1\n")
    started_s = time.monotonic()
    stop_all([child])
    assert 0.3 <= time.monotonic() - started_s < 5
    assert child.exit_code() == -signal.SIGKILL


@pytest.fixture
def heeded():
    """Signals as they are for a program that was not started by `nohup`."""
    before = signal.signal(signal.SIGHUP, signal.SIG_DFL)
    yield
    signal.signal(signal.SIGHUP, before)


def test_second_stop_signal_ends_the_patience(folders, tmp_path, heeded):
    child = Child(spec("stubborn", STUBBORN, tmp_path), folders)
    wait_for(lambda: folders.log("stubborn").read_text() == "1\n")
    with StopSignals() as signals:
        os.kill(os.getpid(), signal.SIGINT)
        os.kill(os.getpid(), signal.SIGHUP)
        wait_for(lambda: signals.insisted)
        started_s = time.monotonic()
        stop_all([child], hurry=lambda: signals.insisted)
    assert time.monotonic() - started_s < child.spec.stop_grace_s


def test_leftovers_of_a_killed_supervisor_are_ended(folders, tmp_path):
    child = Child(spec("left", PARENT, tmp_path), folders)
    frozen = Child(spec("frozen", STUBBORN, tmp_path), folders)
    wait_for(lambda: len(_members(child.pid)) == 2)
    os.kill(frozen.pid, signal.SIGSTOP)
    assert sorted(end_leftovers(folders, grace_s=1.0)) == ["frozen", "left"]
    assert child.exit_code() is not None
    assert frozen.exit_code() is not None
    assert end_leftovers(folders) == []


def test_process_that_got_a_recorded_number_later_is_spared(folders, tmp_path):
    child = Child(spec("mine", SLEEP, tmp_path), folders)
    try:
        write_record(folders.record("other"), child.pid)
        record = folders.record("other").read_text().replace(start_time(child.pid), "1")
        folders.record("other").write_text(record)
        folders.record("mine").unlink()
        assert end_leftovers(folders) == []
        assert child.exit_code() is None
    finally:
        child.finish()
