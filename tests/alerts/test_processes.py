"""Alerts on processes: gone, starting again and again, out of file descriptors."""

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta

import requests

from core.clock import now
from core.telemetry.tracing import Losses
from embedded.ports import choose_ports
from gateway.models import Check, Process
from gateway.services.operations.checks import SWEEPER, TASKS, note_pass
from gateway.tasks import send_alerts
from tests.alerts.conftest import Platform
from tests.alerts.exposed import own_exposition
from tests.alerts.timeline import ROOT, Scrape, alert, assert_fires, system


class Target:
    """A real process that Prometheus would scrape; see `tests.alerts.target`."""

    def __init__(self) -> None:
        (self._port,) = choose_ports(1)
        self._process: subprocess.Popen[str] | None = None

    def start(self, *, open_files: int = 0) -> None:
        arguments = [sys.executable, "-m", "tests.alerts.target", str(self._port), str(open_files)]
        self._process = subprocess.Popen(arguments, cwd=ROOT, stdout=subprocess.PIPE, text=True)
        assert self._process.stdout is not None
        assert self._process.stdout.readline() == "ready\n"

    def kill(self) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.communicate()

    def scrape(self) -> str | None:
        try:
            return requests.get(f"http://127.0.0.1:{self._port}/metrics", timeout=10).text
        except requests.ConnectionError:
            return None


@contextmanager
def running_target() -> Iterator[Target]:
    target = Target()
    target.start()
    try:
        yield target
    finally:
        target.kill()


def test_traces_that_miss_spans_are_told_of():
    losses = Losses()
    healthy = system("", worker=own_exposition())

    losses.refuse(64)

    then = system("", worker=own_exposition())
    assert_fires(alert("SpansLost", process="worker"), healthy=healthy, then=then, after=17)


def of(process: str, host: str = "") -> dict[str, str]:
    """Return the labels of a target."""
    return {"job": "lienzo", "process": process, "instance": f"{host or process}:9100"}


def test_the_last_process_of_a_kind_that_ends_is_told_of():
    with running_target() as target:
        alive = target.scrape()
    dead = target.scrape()
    assert alive is not None
    assert dead is None
    healthy = system(alive)

    assert_fires(
        alert("TargetDown", **of("worker", "worker-2")),
        healthy=[*healthy, Scrape("worker", alive, "worker-2:9100")],
        then=[*healthy, Scrape("worker", dead, "worker-2:9100")],
        after=7,
    )
    assert_fires(alert("NoWeb"), healthy=healthy, then=system(alive, web=dead), after=3)
    assert_fires(alert("NoWorker"), healthy=healthy, then=system(alive, worker=dead), after=3)
    assert_fires(alert("NoSweeper"), healthy=healthy, then=system(alive, sweeper=dead), after=4)
    assert_fires(
        alert("NoDispatcher"),
        alert("TargetDown", **of("dispatcher")),
        healthy=healthy,
        then=system(alive, dispatcher=dead),
        after=7,
    )
    assert_fires(
        alert("NoBeat"),
        alert("TargetDown", **of("beat")),
        healthy=healthy,
        then=system(alive, beat=dead),
        after=12,
    )


def test_a_lease_that_nobody_renews_is_told_of(platform: Platform):
    healthy = platform.state()
    expired = {}
    for kind in ("web", "worker"):
        leases = Process.objects.filter(kind=kind)
        leases.update(heartbeat_at=now() - timedelta(seconds=30))
        expired[kind] = platform.state()
        leases.update(heartbeat_at=now() + timedelta(hours=1))

    assert_fires(alert("NoWeb"), healthy=healthy, then=expired["web"], after=3)
    assert_fires(alert("NoWorker"), healthy=healthy, then=expired["worker"], after=3)


def test_a_sweeper_that_ends_no_round_is_told_of(platform: Platform):
    healthy = platform.state()

    ended = now() - timedelta(seconds=130)
    note_pass(name=SWEEPER, started_at=ended, finished_at=ended)

    assert_fires(alert("SweeperStuck"), healthy=healthy, then=platform.state(), after=2)


def test_a_queue_of_tasks_without_a_worker_is_told_of(platform: Platform):
    """Others live: none was ever there, then one did its last some minutes ago, then one works."""
    healthy = platform.state()
    tasks = Check.objects.filter(name=TASKS)
    tasks.update(finished_at=now() - timedelta(seconds=130))
    stuck = platform.state()
    tasks.delete()
    never = platform.state()
    send_alerts()

    assert_fires(alert("TasksStuck"), healthy=healthy, then=stuck, after=7)
    assert_fires(alert("TasksStuck"), healthy=platform.state(), then=never, after=7)


def test_a_process_that_starts_again_and_again_is_told_of():
    with running_target() as target:
        scrapes = [target.scrape()]
        for _ in range(3):
            target.kill()
            target.start()
            scrapes.append(target.scrape())
    first, *others = [system(scrapes[0], worker=text) for text in scrapes]

    assert_fires(alert("ProcessRestarting", **of("worker")), healthy=first, then=others, after=7)


def test_a_process_with_few_file_descriptors_left_is_told_of():
    with running_target() as target:
        plenty = target.scrape()
        target.kill()
        target.start(open_files=50)
        few = target.scrape()
    then = system(plenty, web=few)

    assert_fires(alert("FilesRunningOut", **of("web")), healthy=system(plenty), then=then, after=7)
