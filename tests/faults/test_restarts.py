"""An orderly stop with jobs in flight."""

import pytest

from tests.faults.audit import audit
from tests.faults.clients import FAL, OPENAI, Call, Crowd
from tests.faults.stack import wait_for

pytestmark = [pytest.mark.xdist_group("supervisor"), pytest.mark.big]


def test_jobs_in_flight_survive_a_stop_and_a_start(machine, organization):
    crowd = Crowd(machine)
    for number in range(6):
        model = (OPENAI, FAL)[number % 2]
        key = f"restart-{number}" if number > 2 else None
        prompt = f"restart {number} <gate=restart>"
        crowd.send(Call(organization, model=model, prompt=prompt, idempotency_key=key))
    wait_for(lambda: len(machine.upstream.calls("restart ")) == 6, timeout_s=60, message="all run")
    machine.stop()
    machine.upstream.open_gate("restart")
    machine.start()
    calls = crowd.join()
    audit(machine, organization, calls)
    for call in calls:
        made = len(machine.upstream.calls(call.prompt))
        assert made <= 2 if call.model == OPENAI else made == 1, call.prompt
