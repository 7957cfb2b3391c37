"""Wake messages may come fifty times or never: rows are the queue."""

import time

import pytest
from celery import Celery

from tests.faults.audit import audit
from tests.faults.clients import FAL, OPENAI, Call, Crowd
from tests.faults.stack import wait_for

pytestmark = pytest.mark.xdist_group("supervisor")
# The worker looks by itself every 2 s; the rest is for a busy machine.
OWN_LOOK_S = 15


def test_doubled_wake_messages_run_each_generation_once(machine, organization):
    crowd = Crowd(machine)
    for number in range(12):
        model = (OPENAI, FAL)[number % 2]
        crowd.send(Call(organization, model=model, prompt=f"doubled {number} <delay=0.5>"))
    with Celery(broker=machine.services()["REDIS_URL"], set_as_current=False) as sender:
        for _ in range(50):
            for queue in ("openai", "fal"):
                sender.send_task(
                    "gateway.generate",
                    kwargs={"queue": queue},
                    queue=f"generate.{queue}",
                    ignore_result=True,
                )
    calls = crowd.join()
    audit(machine, organization, calls)
    assert [len(machine.upstream.calls(call.prompt)) for call in calls] == [1] * len(calls)


def test_lost_wake_messages_are_made_up_for_by_the_workers_own_look(machine, organization):
    crowd = Crowd(machine)
    with machine.frozen("valkey"):
        for number in range(4):
            model = (OPENAI, FAL)[number % 2]
            crowd.send(Call(organization, model=model, prompt=f"lost {number} <delay=0>"))
        wait_for(
            lambda: len(machine.upstream.calls("lost ")) == 4, timeout_s=30, message="all are found"
        )
        started_s = time.monotonic()
        calls = crowd.join(OWN_LOOK_S + 10)
        answered_s = time.monotonic() - started_s
    audit(machine, organization, calls)
    waited = machine.rows(
        "SELECT max(extract(epoch FROM started_at - created_at)) AS s FROM gateway_generation"
        " WHERE organization_id = %s",
        organization.id,
    )[0]["s"]
    assert waited < OWN_LOOK_S
    assert answered_s < OWN_LOOK_S
