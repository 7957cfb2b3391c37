"""The metrics and probes of the web processes, served by gunicorn's master for all of them.

The processes keep their numbers in files, which the master adds up: it is not patched by gevent,
and neither Django nor the product is imported in it. To be imported only after the environment has
the folder of these files.
"""

import http.client
import os
import socket
import time
from collections.abc import Collection, Iterator, Mapping
from functools import cache, partial
from typing import Any, Final

from gunicorn.arbiter import Arbiter
from prometheus_client import CollectorRegistry, ProcessCollector, multiprocess
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector

from config.metrics.folder import MetricsFolder, metrics_folder
from core.metrics.exposition import render
from core.metrics.health import Health, ask_here
from core.metrics.server import MetricsServer
from core.metrics.serving import serve_metrics

# gunicorn's worker gives a sign of life each second, and is killed after 120 s without.
STUCK_S: Final = 30.0
READY_TIMEOUT_S: Final = 5.0
_OPEN_FILES: Final = "process_open_fds"
_MOST_FILES: Final = "process_max_fds"
_FILES: Final = frozenset({_OPEN_FILES, _MOST_FILES})
_HTTP_OK: Final = 200
_OWN_HOST: Final = {"0.0.0.0": "127.0.0.1", "::": "::1"}  # noqa: S104 - mapped away


class WebMetrics:
    """What gunicorn's master keeps for the metrics of its workers.

    Args:
        folder: Where the workers keep their numbers.
    """

    def __init__(self, folder: MetricsFolder) -> None:
        self._folder = folder
        self._server: MetricsServer | None = None

    def serve(self, arbiter: Arbiter, *, host: str, port: int) -> None:
        """Begin to answer scrapes and probes."""
        self._server = serve_metrics(
            host=host,
            port=port,
            render=lambda: self._render(arbiter),
            health=Health(life=lambda: _stuck(arbiter), service=lambda: _not_ready(arbiter)),
            ask=ask_here,
        )

    def leave_to_parent(self) -> None:
        """Close in a new worker what is the master's alone."""
        self._folder.leave()
        if self._server is not None:
            self._server.close()

    def forget(self, pid: int) -> None:
        """Drop the gauges of a worker that has ended; what it counted stays counted."""
        multiprocess.mark_process_dead(  # type: ignore[no-untyped-call] # as the library has it
            pid, str(self._folder.path)
        )

    def end(self) -> None:
        """Remove the folder."""
        self._folder.remove()

    def _render(self, arbiter: Arbiter) -> bytes:
        registry = CollectorRegistry()
        multiprocess.MultiProcessCollector(  # type: ignore[no-untyped-call] # as above
            registry, str(self._folder.path)
        )
        registry.register(_Processes([os.getpid(), *arbiter.WORKERS]))
        return render(registry)


class _Processes(Collector):
    """The `process_*` metrics of several processes together."""

    def __init__(self, pids: Collection[int]) -> None:
        self._pids = pids

    def collect(self) -> Iterator[Metric]:
        """Add up memory and CPU; the master's start is that of all.

        Files are those of the process that has the most in use of its own limit: no other one's
        room helps it.
        """
        processes = [
            {metric.name: metric for metric in collector.collect()}
            for collector in (
                ProcessCollector(pid=partial(int, pid), registry=None) for pid in self._pids
            )
        ]
        fullest = max(processes, key=_files_in_use)
        sums = {**processes[0], **{name: fullest[name] for name in _FILES & fullest.keys()}}
        for process in processes[1:]:
            for name in process.keys() & sums.keys() - _FILES - {"process_start_time_seconds"}:
                total = sums[name].samples
                total[0] = total[0]._replace(value=total[0].value + process[name].samples[0].value)
        ended = os.times()
        cpu = sums["process_cpu_seconds"].samples
        # A counter must not fall when a worker is replaced.
        gone_s = ended.children_user + ended.children_system
        cpu[0] = cpu[0]._replace(value=cpu[0].value + gone_s)
        yield from sums.values()


def _files_in_use(process: Mapping[str, Metric]) -> float:
    """Return the share of the files a process may have; 0 of one that has ended meanwhile."""
    if not process.keys() >= _FILES:
        return 0.0
    return process[_OPEN_FILES].samples[0].value / process[_MOST_FILES].samples[0].value


@cache
def web_metrics() -> WebMetrics:
    """Return the one object of this master, which its workers inherit."""
    return WebMetrics(metrics_folder())


def _stuck(arbiter: Arbiter) -> str:
    """Return words if not one worker moves; a single one that is stuck, gunicorn replaces."""
    moved_s = [age for worker in list(arbiter.WORKERS.values()) for age in _age_s(worker)]
    if not moved_s:
        return "no web process runs"
    return f"no web process has moved for {min(moved_s):.0f} s" if min(moved_s) > STUCK_S else ""


def _age_s(worker: Any) -> Iterator[float]:  # noqa: ANN401 - gunicorn's, without types
    """Yield the seconds since a worker's sign of life; below 0 before its first."""
    try:
        yield time.monotonic() - worker.tmp.last_update()
    except (OSError, ValueError):
        # It has ended this moment.
        return


def _not_ready(arbiter: Arbiter) -> str:
    """Ask a worker as a client would: `/readyz` of the public port."""
    listener: Any = arbiter.LISTENERS[0].sock
    with socket.socket(listener.family) as caller:
        caller.settimeout(READY_TIMEOUT_S)
        address = listener.getsockname()
        if isinstance(address, tuple):
            address = (_OWN_HOST.get(address[0], address[0]), *address[1:])
        connection = http.client.HTTPConnection("localhost")
        try:
            caller.connect(address)
            connection.sock = caller
            connection.request("GET", "/readyz", headers={"Connection": "close"})
            answer = connection.getresponse()
            words = answer.read().decode("utf-8", "replace")
        except (OSError, http.client.HTTPException) as error:
            return f"/readyz is not answered: {type(error).__name__}"
    return "" if answer.status == _HTTP_OK else words
