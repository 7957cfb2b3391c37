"""kill -9 under load: no request is lost, none is paid twice."""

import os
import signal
import threading
import time

import pytest

from tests.faults.audit import audit
from tests.faults.clients import Crowd, mixed_calls
from tests.faults.stack import wait_for

pytestmark = pytest.mark.xdist_group("supervisor")
PER_SECOND = 10


def kill_one_web_process(machine):
    os.kill(machine.web_workers()[0], signal.SIGKILL)


# In this order each victim has work in its hands: after "web" no request comes in for a while.
KILLS = {
    "worker": lambda machine: machine.kill("worker"),
    "valkey": lambda machine: machine.kill("valkey"),
    "web process": kill_one_web_process,
    "web": lambda machine: machine.kill("web", group=True),
}


def run_under_load(machine, organization, kills, *, seconds, mark):
    """Kill at even distances within `seconds` of load, then audit."""
    crowd = Crowd(machine)
    calls = mixed_calls(organization, int(seconds * PER_SECOND), mark, delay_s=1)
    load = threading.Thread(target=crowd.send_all, args=(calls,), kwargs={"per_second": PER_SECOND})
    load.start()
    for name in kills:
        time.sleep(seconds / (len(kills) + 1))
        if name == "worker":
            wait_for(
                lambda: running(machine, organization), timeout_s=20, message="the worker works"
            )
        KILLS[name](machine)
    load.join()
    audit(machine, organization, crowd.join())
    if any("web" in name for name in kills):
        assert any(call.tries[0].status is None for call in calls), "no connection was cut"
    if "worker" in kills:
        assert recovered(machine, organization), "the worker had nothing in its hands"


def running(machine, organization):
    return machine.rows(
        "SELECT id FROM gateway_generation WHERE organization_id = %s AND status = 'running'",
        organization.id,
    )


def recovered(machine, organization):
    return machine.rows(
        "SELECT id FROM gateway_generation WHERE organization_id = %s AND recoveries > 0",
        organization.id,
    )


def test_killed_processes_lose_no_request_and_charge_once(machine, organization):
    run_under_load(machine, organization, tuple(KILLS), seconds=12, mark="kills")


@pytest.mark.big
@pytest.mark.parametrize("name", list(KILLS))
def test_process_killed_thrice_loses_no_request_and_charges_once(machine, organization, name):
    run_under_load(machine, organization, (name,) * 3, seconds=12, mark=f"thrice {name}")
