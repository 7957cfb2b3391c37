"""Messages only wake workers: without a broker there are none, and work is done all the same."""

import pytest

from tests.faults.audit import audit
from tests.faults.clients import FAL, OPENAI, Call, Crowd
from tests.faults.stack import Stack

# Nobody listens there.
_NOWHERE = "redis://127.0.0.1:1/0"


@pytest.mark.big
@pytest.mark.timeout(400)
def test_a_worker_that_never_finds_its_broker_serves_everybody():
    machine = Stack({"CELERY_BROKER_URL": _NOWHERE})
    try:
        organization = machine.organization()
        calls = []
        # Longer than the pause of Celery's tenth try, in which nothing else would move.
        for round_ in range(4):
            crowd = Crowd(machine)
            for number in range(6):
                prompt = f"no broker {round_} {number}"
                crowd.send(Call(organization, model=(OPENAI, FAL)[number % 2], prompt=prompt))
            calls += crowd.join()
        audit(machine, organization, calls)
    finally:
        machine.close()
