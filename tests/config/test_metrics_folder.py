"""The folders in which web's processes keep their numbers."""

import os
import signal
import subprocess
import sys
from pathlib import Path

from config.metrics.folder import MetricsFolder
from embedded.environment import without_settings
from embedded.ports import accepts_connections, choose_ports
from embedded.processes import ROOT
from tests.stack import wait_until


def test_folders_of_ended_masters_are_removed_and_no_others(tmp_path: Path):
    ended, other = MetricsFolder(tmp_path), MetricsFolder(tmp_path)
    (ended.path / "counter_7.db").touch()
    foreign = tmp_path / "lienzo-metrics-link"
    foreign.symlink_to(tmp_path)
    ended.leave()

    own = MetricsFolder(tmp_path)

    assert {*tmp_path.iterdir()} == {other.path, own.path, foreign}
    own.remove()
    assert {*tmp_path.iterdir()} == {other.path, foreign}


def test_killed_master_leaves_its_folder_to_the_next_one(tmp_path: Path):
    first = _begin_and_kill(tmp_path)
    assert first.is_dir()

    second = _begin_and_kill(tmp_path)

    assert [*tmp_path.glob("run/*")] == [second]
    assert second != first


def _begin_and_kill(var: Path) -> Path:
    """Start gunicorn as web does, kill it with all it spawned, and return the folder it made."""
    [port] = choose_ports(1)
    known = {*var.glob("run/*")}
    master = subprocess.Popen(
        [
            *(sys.executable, "-m", "gunicorn", "-c", "config/gunicorn.py", "--no-control-socket"),
            *("--bind", "127.0.0.1:0", "config.wsgi"),
        ],
        cwd=ROOT,
        env={**without_settings(os.environ), "LIENZO_VAR": str(var), "METRICS_PORT": str(port)},
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    try:
        wait_until(lambda: accepts_connections(port), "it shows its metrics", every_s=0.01)
        [made] = {*var.glob("run/*")} - known
    finally:
        os.killpg(master.pid, signal.SIGKILL)
        master.wait()
    return made
