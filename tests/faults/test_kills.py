"""kill -9 under load: no request is lost, none is paid twice."""

import os
import signal
import threading
import time

import pytest

from tests.faults.audit import audit
from tests.faults.clients import Crowd, mixed_calls

pytestmark = pytest.mark.xdist_group("supervisor")
PER_SECOND = 10


def kill_one_web_process(stack):
    os.kill(stack.web_workers()[0], signal.SIGKILL)


KILLS = {
    "web process": kill_one_web_process,
    "web": lambda stack: stack.kill("web", group=True),
    "worker": lambda stack: stack.kill("worker"),
    "valkey": lambda stack: stack.kill("valkey"),
}


def run_under_load(stack, organization, kills, *, seconds, mark):
    """Kill at even distances within `seconds` of load, then audit."""
    crowd = Crowd(stack)
    calls = mixed_calls(organization, int(seconds * PER_SECOND), mark, delay_s=0.5)
    load = threading.Thread(target=crowd.send_all, args=(calls,), kwargs={"per_second": PER_SECOND})
    load.start()
    for name in kills:
        time.sleep(seconds / (len(kills) + 1))
        KILLS[name](stack)
    load.join()
    audit(stack, organization, crowd.join())
    if any("web" in name for name in kills):
        assert any(call.tries[0].status is None for call in calls), "no connection was cut"
    if "worker" in kills:
        assert recovered(stack, organization), "the worker had nothing in its hands"


def recovered(stack, organization):
    return stack.rows(
        "SELECT id FROM gateway_generation WHERE organization_id = %s AND recoveries > 0",
        organization.id,
    )


def test_killed_processes_lose_no_request_and_charge_once(stack, organization):
    run_under_load(stack, organization, tuple(KILLS), seconds=12, mark="kills")


@pytest.mark.big
@pytest.mark.parametrize("name", list(KILLS))
def test_process_killed_thrice_loses_no_request_and_charges_once(stack, organization, name):
    run_under_load(stack, organization, (name,) * 3, seconds=12, mark=f"thrice {name}")
