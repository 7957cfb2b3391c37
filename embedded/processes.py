"""The processes of ``make run``, as data."""

import os
import sys
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from embedded.children import Spec
from embedded.files import make_folder
from embedded.ports import LOOPBACK

ROOT = Path(__file__).resolve().parent.parent
# What takes in work stops first, then what it calls, last what it keeps its data in.
STAGE_WORK = 0
STAGE_UPSTREAM = 1
STAGE_ENGINE = 2
# Longer than web and worker give themselves, which is longer than the longest deadline.
_DRAIN_S = 320.0
_QUEUES = (
    "generate.openai",
    "generate.azure_openai",
    "generate.gemini",
    "generate.xai",
    "generate.fal",
    "generate.bfl",
    "generate.stability",
    "generate.ideogram",
    "generate.sandbox",
    "default",
    "thumbnails",
)


def preparations() -> tuple[tuple[str, tuple[str, ...]], ...]:
    """Return the commands to run once before the processes, with what they do."""
    return (
        ("Migrating the database", _manage("migrate", "--no-input", "--verbosity=0")),
        ("Loading catalog, prices and sample rates", _manage("bootstrap")),
    )


def page_files_command() -> tuple[str, ...]:
    """Return the command that puts the files of pages, compressed, where web finds them."""
    return _manage("collectstatic", "--no-input", "--verbosity=0", "--ignore=rest_framework")


def demo_command() -> tuple[str, ...]:
    """Return the command that prints the demo's access data as a JSON object."""
    return _manage("seed_demo", "--json")


def process_table(
    environment: Mapping[str, str],
    *,
    web_socket: int,
    sandbox_port: int | None,
    metrics_ports: Mapping[str, int] | None = None,
    sandbox_host: str = LOOPBACK,
) -> tuple[tuple[Spec, int], ...]:
    """Return each process with its stop stage, in the order of starting.

    Args:
        environment: What they get, complete.
        web_socket: File descriptor of the listening socket. It is the supervisor's, so that
            connections made while the web process restarts wait instead of failing.
        sandbox_port: None when another sandbox is used.
        metrics_ports: Where each process shows its metrics and probes, in place of what
            `METRICS_PORT` says to all of them.
        sandbox_host: The address the sandbox listens on.
    """
    var = Path(environment["LIENZO_VAR"])
    schedule = make_folder(var / "beat") / "schedule"
    celery = ("-m", "celery", "-A", "config")
    beat = (*celery, "beat", "-s", str(schedule), "--pidfile=", "--loglevel", "warning")
    # Celery's own `-P gevent` patches too late: while gevent (26.9) looks at the locks there are,
    # it wakes a proxy of Celery's, which imports kombu, whose wait for a broker then sleeps for
    # real (kombu 5.7). With the broker away every job of the worker would stand still.
    worker = (
        *("-m", "gevent.monkey", "--module"),
        *celery[1:],
        "worker",
        *("-P", "gevent", "-c", environment["WORKER_POOL_SIZE"], "-Q", ",".join(_QUEUES)),
        *("--without-gossip", "--without-mingle", "--without-heartbeat", "--loglevel", "warning"),
    )
    # Its control socket would be one file in the home folder for every instance.
    gunicorn = ("-m", "gunicorn", "-c", "config/gunicorn.py", "--no-control-socket")
    web = (*gunicorn, "--bind", f"fd://{web_socket}")
    web_spec = _python("web", environment, *web, "config.wsgi", fds=(web_socket,))
    work = (
        replace(web_spec, announcers=int(environment.get("WEB_PROCESSES", "2"))),
        _python("worker", environment, *worker),
        _python("sweeper", environment, "manage.py", "sweep"),
        _python("dispatcher", environment, "-m", "config.dispatcher"),
        # Two would send every message twice, and write one file of what is due.
        replace(_python("beat", environment, *beat), overlaps=False),
    )
    table = [(spec, STAGE_WORK) for spec in work]
    if sandbox_port is not None:
        where = () if sandbox_host == LOOPBACK else ("--host", sandbox_host)
        sandbox = ("-m", "sandbox", "--port", str(sandbox_port), *where)
        spec = replace(_python("sandbox", environment, *sandbox), overlaps=False, announcers=0)
        table.insert(0, (spec, STAGE_UPSTREAM))
    if metrics_ports is None:
        return tuple(table)
    return tuple(
        (_with_metrics(spec, metrics_ports.get(spec.name, 0)), stage) for spec, stage in table
    )


def child_environment(environ: Mapping[str, str], values: Mapping[str, str]) -> dict[str, str]:
    """Return the user's environment with ``values`` over it."""
    path = os.pathsep.join(filter(None, (str(Path(sys.executable).parent), environ.get("PATH"))))
    return {**environ, "PYTHONUNBUFFERED": "1", **values, "PATH": path}


def _manage(*arguments: str) -> tuple[str, ...]:
    return (sys.executable, "manage.py", *arguments)


def _with_metrics(spec: Spec, port: int) -> Spec:
    return replace(spec, env={**spec.env, "METRICS_PORT": str(port)})


def _python(
    name: str, environment: Mapping[str, str], *arguments: str, fds: tuple[int, ...] = ()
) -> Spec:
    return Spec(
        name=name,
        argv=(sys.executable, *arguments),
        env=environment,
        cwd=ROOT,
        pass_fds=fds,
        overlaps=True,
        drain_grace_s=_DRAIN_S,
        announcers=1,
    )
