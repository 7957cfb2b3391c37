"""kill -9 of the worker at chosen points between claim and settle."""

import contextlib

import pytest

from tests.faults.audit import audit
from tests.faults.clients import FAL, OPENAI, Call, Crowd
from tests.faults.stack import wait_for

pytestmark = pytest.mark.xdist_group("supervisor")


@pytest.fixture
def crowd(stack):
    return Crowd(stack)


def reached(stack, prompt):
    wait_for(lambda: stack.upstream.calls(prompt), timeout_s=15, message="the upstream is called")


def test_killed_while_openai_is_silent_makes_one_new_call(stack, organization, crowd):
    call = crowd.send(Call(organization, model=OPENAI, prompt="silent <first-silent>"))
    reached(stack, call.prompt)
    stack.kill("worker")
    audit(stack, organization, crowd.join())
    assert len(stack.upstream.calls(call.prompt)) == 2
    assert attempts(stack, organization) == ["unknown", "succeeded"]


def test_killed_while_fal_works_resumes_its_job(stack, organization, crowd):
    call = crowd.send(Call(organization, model=FAL, prompt="resumed <gate=resumed>"))
    wait_for(
        lambda: attempts(stack, organization, with_id=True), timeout_s=15, message="the id is kept"
    )
    stack.kill("worker")
    stack.upstream.open_gate("resumed")
    audit(stack, organization, crowd.join())
    assert len(stack.upstream.calls(call.prompt)) == 1
    assert attempts(stack, organization) == ["succeeded"]


def test_killed_before_storing_resumes_fals_job(stack, organization, crowd):
    call = crowd.send(Call(organization, model=FAL, prompt="unstored <gate=unstored>"))
    reached(stack, call.prompt)
    with stack.frozen("seaweedfs"):
        stack.upstream.open_gate("unstored")
        wait_for(
            lambda: stack.upstream.calls(call.prompt, steps=("result",)),
            timeout_s=15,
            message="the worker has the image",
        )
        stack.kill("worker")
    audit(stack, organization, crowd.join())
    assert len(stack.upstream.calls(call.prompt)) == 1


@pytest.mark.parametrize("model", [OPENAI, FAL])
def test_killed_before_settling_settles_from_the_stored_objects(stack, organization, crowd, model):
    gate = f"settle-{model.replace('/', '-')}"
    call = crowd.send(Call(organization, model=model, prompt=f"settle {model} <gate={gate}>"))
    reached(stack, call.prompt)
    with held_balance(stack, organization):
        stack.upstream.open_gate(gate)
        wait_for(lambda: waits_for_lock(stack), timeout_s=9, message="settling waits")
        stack.kill("worker")
    audit(stack, organization, crowd.join())
    assert len(stack.upstream.calls(call.prompt)) == 1
    assert attempts(stack, organization) == ["succeeded"]


def attempts(stack, organization, *, with_id=False):
    """Return the states of an organization's attempts, in order."""
    rows = stack.rows(
        "SELECT t.status, t.upstream_id FROM gateway_attempt t JOIN gateway_generation g"
        " ON g.id = t.generation_id WHERE g.organization_id = %s ORDER BY g.created_at, t.number",
        organization.id,
    )
    return [row["status"] for row in rows if row["upstream_id"] or not with_id]


@contextlib.contextmanager
def held_balance(stack, organization):
    """Keep an organization's balance locked, so that nothing can be charged to it."""
    with stack.connect() as session, session.transaction():
        session.execute(
            "SELECT 1 FROM billing_balance WHERE account_id IN"
            " (SELECT id FROM billing_account WHERE organization_id = %s) FOR UPDATE",
            [organization.id],
        )
        yield


def waits_for_lock(stack):
    return stack.rows("SELECT pid FROM pg_stat_activity WHERE wait_event_type = 'Lock'")
