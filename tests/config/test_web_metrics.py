"""What gunicorn's master shows of all its processes together."""

import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack

import pytest

from config.metrics.web import _Processes

OPEN = """
import resource, sys
resource.setrlimit(resource.RLIMIT_NOFILE, (int(sys.argv[1]), int(sys.argv[1])))
files = [open("/dev/null") for _ in range(int(sys.argv[2]))]
print("ready", flush=True)
sys.stdin.read()
"""


@pytest.fixture
def pids() -> Iterator[list[int]]:
    """Processes with much room, one of which is nearly full."""
    with ExitStack() as running:
        started = []
        for limit, files in ((900, 200), (64, 50), (900, 0)):
            command = [sys.executable, "-c", OPEN, str(limit), str(files)]
            process = running.enter_context(
                subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
            )
            running.callback(process.kill)
            started.append(process)
        for process in started:
            assert process.stdout is not None
            assert process.stdout.readline() == b"ready\n"
        yield [process.pid for process in started]


def test_files_are_those_of_the_fullest_process_and_memory_is_that_of_all(pids: list[int]):
    def shown(processes: list[int]) -> dict[str, float]:
        metrics = _Processes(processes).collect()
        return {metric.name: metric.samples[0].value for metric in metrics}

    together, alone = shown(pids), [shown([pid]) for pid in pids]

    assert together["process_max_fds"] == 64
    assert together["process_open_fds"] == alone[1]["process_open_fds"] >= 50
    memory = "process_resident_memory_bytes"
    assert together[memory] == pytest.approx(sum(one[memory] for one in alone), rel=0.05)
    started_at = "process_start_time_seconds"
    assert together[started_at] == alone[0][started_at]
