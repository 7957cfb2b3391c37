"""One slow provider, one busy organization, one small connection pool: others go on."""

import pytest
import requests

from tests.faults.audit import audit
from tests.faults.clients import FAL, OPENAI, Call, Crowd
from tests.faults.stack import SLOTS, wait_for

pytestmark = pytest.mark.xdist_group("supervisor")
PARKED = 200


def queued_or_running(machine, organization):
    return machine.rows(
        "SELECT count(*) FILTER (WHERE status = 'queued') AS queued,"
        " count(*) FILTER (WHERE status = 'running') AS running"
        " FROM gateway_generation WHERE organization_id = %s",
        organization.id,
    )[0]


def test_hanging_provider_and_200_parked_requests_leave_the_other_provider_free(machine):
    """Each web process has two connections, and the hanging provider more jobs than slots."""
    slow, quick = machine.organizations("1000", "1000")
    parked = Crowd(machine)
    for number in range(PARKED):
        parked.send(Call(slow, FAL, f"parked {number} <gate=parked>"))
    wait_for(
        lambda: queued_or_running(machine, slow) == {"queued": PARKED - SLOTS, "running": SLOTS},
        timeout_s=30,
        message="all slots of the provider are taken",
    )
    others = Crowd(machine)
    for number in range(10):
        others.send(Call(quick, OPENAI, f"beside {number} <delay=0.2>"))
    answered = others.join(25)
    headers = {"Authorization": f"Bearer {slow.key}"}
    balance = requests.get(f"{machine.base_url}/v1/balance", headers=headers, timeout=10)
    assert balance.status_code == 200
    assert queued_or_running(machine, slow) == {"queued": PARKED - SLOTS, "running": SLOTS}
    assert [call.tries for call in parked.calls if call.tries] == []
    machine.upstream.open_gate("parked")
    audit(machine, quick, answered)
    calls = parked.join()
    audit(machine, slow, calls)
    assert [len(call.tries) for call in calls] == [1] * PARKED


def test_burst_of_one_organization_lets_another_one_in(machine):
    """In the order of arrival the other one would start after the whole burst."""
    greedy, modest = machine.organizations("1000", "1000")
    burst = 50
    crowd = Crowd(machine)
    for number in range(burst):
        crowd.send(Call(greedy, FAL, f"burst {number} <delay=2>"))
    wait_for(
        lambda: queued_or_running(machine, greedy) == {"queued": burst - SLOTS, "running": SLOTS},
        timeout_s=20,
        message="the burst waits for slots",
    )
    single = Crowd(machine)
    single.send(Call(modest, FAL, "modest <delay=0>"))
    audit(machine, modest, single.join())
    overtaken = machine.rows(
        "SELECT count(*) FROM gateway_generation greedy, gateway_generation modest"
        " WHERE greedy.organization_id = %s AND modest.organization_id = %s"
        " AND greedy.started_at BETWEEN modest.created_at AND modest.started_at",
        greedy.id,
        modest.id,
    )[0]["count"]
    # Each slot may have been given to the burst once more while the single request was written.
    assert overtaken <= SLOTS
    audit(machine, greedy, crowd.join())
