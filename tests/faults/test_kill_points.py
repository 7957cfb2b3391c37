"""kill -9 of the worker at chosen points between claim and settle."""

import contextlib

import pytest

from tests.faults.audit import audit
from tests.faults.clients import FAL, OPENAI, Call, Crowd
from tests.faults.stack import wait_for

pytestmark = pytest.mark.xdist_group("supervisor")


@pytest.fixture
def crowd(machine):
    return Crowd(machine)


def reached(machine, prompt):
    wait_for(lambda: machine.upstream.calls(prompt), timeout_s=60, message="the upstream is called")


def test_killed_while_openai_is_silent_makes_one_new_call(machine, organization, crowd):
    call = crowd.send(Call(organization, model=OPENAI, prompt="silent <first-silent>"))
    reached(machine, call.prompt)
    machine.kill("worker")
    audit(machine, organization, crowd.join())
    assert len(machine.upstream.calls(call.prompt)) == 2
    assert attempts(machine, organization) == ["unknown", "succeeded"]


def test_killed_while_fal_works_resumes_its_job(machine, organization, crowd):
    call = crowd.send(Call(organization, model=FAL, prompt="resumed <gate=resumed>"))
    wait_for(
        lambda: attempts(machine, organization, with_id=True),
        timeout_s=60,
        message="the id is kept",
    )
    machine.kill("worker")
    machine.upstream.open_gate("resumed")
    audit(machine, organization, crowd.join())
    assert len(machine.upstream.calls(call.prompt)) == 1
    assert attempts(machine, organization) == ["succeeded"]


def test_killed_before_storing_resumes_fals_job(machine, organization, crowd):
    call = crowd.send(Call(organization, model=FAL, prompt="unstored <gate=unstored>"))
    reached(machine, call.prompt)
    with machine.frozen("seaweedfs"):
        machine.upstream.open_gate("unstored")
        wait_for(
            lambda: machine.upstream.calls(call.prompt, steps=("result",)),
            timeout_s=60,
            message="the worker has the image",
        )
        machine.kill("worker")
    audit(machine, organization, crowd.join())
    assert len(machine.upstream.calls(call.prompt)) == 1


@pytest.mark.parametrize("model", [OPENAI, FAL])
def test_killed_before_settling_settles_from_the_stored_objects(
    machine, organization, crowd, model
):
    gate = f"settle-{model.replace('/', '-')}"
    call = crowd.send(Call(organization, model=model, prompt=f"settle {model} <gate={gate}>"))
    reached(machine, call.prompt)
    with held_balance(machine, organization):
        machine.upstream.open_gate(gate)
        wait_for(lambda: waits_for_lock(machine), timeout_s=60, message="settling waits")
        machine.kill("worker")
    audit(machine, organization, crowd.join())
    assert len(machine.upstream.calls(call.prompt)) == 1
    assert attempts(machine, organization) == ["succeeded"]


def attempts(machine, organization, *, with_id=False):
    """Return the states of an organization's attempts, in order."""
    rows = machine.rows(
        "SELECT t.status, t.upstream_id FROM gateway_attempt t JOIN gateway_generation g"
        " ON g.id = t.generation_id WHERE g.organization_id = %s ORDER BY g.created_at, t.number",
        organization.id,
    )
    return [row["status"] for row in rows if row["upstream_id"] or not with_id]


@contextlib.contextmanager
def held_balance(machine, organization):
    """Keep an organization's balance locked, so that nothing can be charged to it."""
    with machine.connect() as session, session.transaction():
        session.execute(
            "SELECT 1 FROM billing_balance WHERE account_id IN"
            " (SELECT id FROM billing_account WHERE organization_id = %s) FOR UPDATE",
            [organization.id],
        )
        yield


def waits_for_lock(machine):
    return machine.rows("SELECT pid FROM pg_stat_activity WHERE wait_event_type = 'Lock'")
