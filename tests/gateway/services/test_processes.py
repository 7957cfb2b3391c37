"""Who is taken for dead: what is gone from where its pid can be seen, and nobody else."""

import os
import socket
import subprocess
import sys
from uuid import UUID

import pytest
from django.db import connection

from core.clock import now
from gateway.models import Process
from gateway.services.processes import end_dead_neighbors, started_ticks, this_host
from tests.templates import on_database

_LOOK = (
    "import django; django.setup();"
    "from gateway.services.processes import end_dead_neighbors; end_dead_neighbors()"
)


def gone_pid() -> int:
    """Return the pid of a process that has ended."""
    with subprocess.Popen(["true"]) as process:
        pass
    return process.pid


def register(host: str, pid: int) -> UUID:
    moment = now()
    return Process.objects.create(
        kind="worker",
        host=host,
        pid=pid,
        started_ticks=started_ticks(pid) or 1,
        started_at=moment,
        heartbeat_at=moment,
    ).id


def has_ended(process_id: UUID) -> bool:
    return Process.objects.get(id=process_id).ended_at is not None


def test_host_is_named_for_people():
    assert Process(host=this_host()).host_name == socket.gethostname()
    assert Process(host="of-release-0.1").host_name == "of-release-0.1"


def test_process_that_is_gone_from_this_host_is_ended_at_once(db):
    gone, alive = register(this_host(), gone_pid()), register(this_host(), os.getpid())

    assert end_dead_neighbors() >= 1

    assert has_ended(gone)
    assert not has_ended(alive)


def test_process_of_a_namesake_is_left_to_its_lease(db):
    """Another machine, another container, and the release before, whose rows have a name alone."""
    name, _, place = this_host().partition("@")
    if not place:
        pytest.skip("without /proc hosts are told by their names alone")
    boot, _, namespace = place.partition("/")
    hosts = [name, f"{name}@{'0' * len(boot)}/{namespace}", f"{name}@{boot}/1"]
    namesakes = [register(host, gone_pid()) for host in hosts]

    end_dead_neighbors()

    assert [has_ended(process) for process in namesakes] == [False] * 3


def test_process_is_not_taken_for_dead_from_another_namespace_of_pids(committed):
    unshare = _unshare()
    alive, gone = register(this_host(), os.getpid()), register(this_host(), gone_pid())
    database = on_database(os.environ["DATABASE_URL"], connection.settings_dict["NAME"])
    look = (sys.executable, "-c", _LOOK)
    environment = {**os.environ, "DATABASE_URL": database}
    try:
        subprocess.run((*unshare, *look), env=environment, check=True)
        assert not has_ended(alive)
        assert not has_ended(gone)

        subprocess.run(look, env=environment, check=True)
        assert not has_ended(alive)
        assert has_ended(gone)
    finally:
        Process.objects.filter(id__in=[alive, gone]).delete()


def _unshare() -> tuple[str, ...]:
    """Return how to start a command that sees pids of its own, under the name of this host."""
    for user in ((), ("--user", "--map-root-user")):
        command = ("unshare", *user, "--pid", "--fork", "--mount-proc")
        try:
            subprocess.run((*command, "true"), check=True, capture_output=True)
        except (OSError, subprocess.CalledProcessError):
            continue
        return command
    pytest.skip("no namespaces of pids are allowed here")
