"""SIGSTOP: a process that is neither dead nor alive delays answers, and loses and doubles none."""

import threading
import time

import pytest

from tests.faults.audit import audit
from tests.faults.clients import FAL, OPENAI, Call, Crowd, mixed_calls
from tests.faults.stack import wait_for

pytestmark = pytest.mark.xdist_group("supervisor")
# The lease is 20 s: past it the sweeper takes the frozen worker's jobs away.
PAST_THE_LEASE_S = 23
PER_SECOND = 2


def gated_calls(organization, mark):
    return [
        Call(organization, model=model, prompt=f"{mark} held {number} {model} <gate={mark}>")
        for number in range(3)
        for model in (OPENAI, FAL)
    ]


def saved_job_ids(machine, organization):
    [row] = machine.rows(
        "SELECT count(*) FROM gateway_attempt t JOIN gateway_generation g"
        " ON g.id = t.generation_id WHERE g.organization_id = %s AND t.upstream_id <> ''",
        organization.id,
    )
    return row["count"]


def freeze_worker_with_jobs(machine, organization, mark, *, seconds):
    """Freeze the worker while it waits for the upstream, which answers meanwhile.

    What is sent meanwhile waits until it thaws, and is called for once then: under a lease that the
    sweeper has ended the worker claims nothing.
    """
    crowd = Crowd(machine)
    held = gated_calls(organization, mark)
    for call in held:
        crowd.send(call)
    wait_for(
        lambda: len(machine.upstream.calls(mark)) == len(held), timeout_s=20, message="jobs run"
    )
    fal_jobs = sum(call.model == FAL for call in held)
    wait_for(
        lambda: saved_job_ids(machine, organization) == fal_jobs, timeout_s=20, message="ids saved"
    )
    with machine.frozen("worker"):
        machine.upstream.open_gate(mark)
        calls = mixed_calls(organization, seconds * PER_SECOND, mark, delay_s=0.2)
        crowd.send_all(calls, per_second=PER_SECOND)
    audit(machine, organization, crowd.join())
    made = {call.prompt: len(machine.upstream.calls(call.prompt)) for call in calls}
    assert made == dict.fromkeys(made, 1)
    return held


def test_worker_frozen_past_its_lease_delivers_once(machine, organization):
    held = freeze_worker_with_jobs(machine, organization, "lease", seconds=PAST_THE_LEASE_S)
    for call in held:
        made = len(machine.upstream.calls(call.prompt))
        # OpenAI has no way to ask what became of a call; fal's job has an id.
        assert made <= 2 if call.model == OPENAI else made == 1, call.prompt
    statuses = machine.rows(
        "SELECT t.status FROM gateway_attempt t JOIN gateway_generation g"
        " ON g.id = t.generation_id WHERE g.organization_id = %s AND t.provider = 'fal'"
        # Of those taken up while it thawed, one may be given up as lost before its id is saved.
        " AND g.parameters->>'prompt' = ANY(%s)",
        organization.id,
        [call.prompt for call in held],
    )
    assert [row["status"] for row in statuses] == ["succeeded"] * 3


def test_frozen_valkey_delays_answers_and_loses_none(machine, organization):
    calls = freeze_under_load(machine, organization, "valkey", seconds=5, per_second=4)
    assert [call.tries for call in calls if len(call.tries) > 1] == []


def freeze_under_load(machine, organization, name, *, seconds, per_second=PER_SECOND):
    """Freeze a process for `seconds`, with requests before, during and after; then audit."""
    crowd = Crowd(machine)
    count = int((seconds + 3) * per_second)
    # The upstream counts calls by their prompt, over all tests.
    calls = mixed_calls(organization, count, f"frozen {name} {seconds}", delay_s=1)
    load = threading.Thread(target=crowd.send_all, args=(calls,), kwargs={"per_second": per_second})
    load.start()
    time.sleep(1.5)
    with machine.frozen(name):
        time.sleep(seconds)
    load.join()
    audit(machine, organization, crowd.join())
    return calls


@pytest.mark.big
@pytest.mark.parametrize("name", ["valkey", "web", "worker", "seaweedfs", "postgres"])
def test_process_frozen_for_40_s_loses_no_request(machine, organization, name):
    freeze_under_load(machine, organization, name, seconds=40)


@pytest.mark.big
def test_worker_frozen_for_40_s_delivers_once(machine, organization):
    freeze_worker_with_jobs(machine, organization, "forty", seconds=40)
