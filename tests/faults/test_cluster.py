"""Two hosts of which one is killed at once: the other one finishes everything."""

import os
import subprocess
import sys
import threading
import time

import pytest

from bench.procfs import usage
from embedded.environment import without_settings
from tests.faults.audit import audit
from tests.faults.clients import OPENAI, Call, Crowd, mixed_calls
from tests.faults.cluster import Cluster, Turns
from tests.faults.stack import ROOT, SLOTS, wait_for

pytestmark = [
    pytest.mark.xdist_group("cluster"),
    pytest.mark.big,
    pytest.mark.timeout(900),
]
PER_SECOND = 4
# Of 2: the rest is what requests cost that all begin and end together on the same two cores.
LEAST_GAIN = 1.8
IDLE_S = 10
# A client gives a host up after so long: one whose power fails says nothing any more.
READ_TIMEOUT_S = 25
VARIANTS = [
    "plain",
    pytest.param(
        "namespaces",
        marks=pytest.mark.skipif(os.geteuid() != 0, reason="network namespaces need root"),
    ),
]


@pytest.fixture(scope="module", params=VARIANTS)
def cluster(request):
    started = Cluster(plain=request.param == "plain")
    yield started
    started.close()


def running_on(cluster, host):
    return cluster.rows(
        "SELECT g.id FROM gateway_generation g JOIN gateway_process p ON p.id = g.worker_id"
        " WHERE g.status = 'running' AND p.pid = %s",
        cluster.pid(f"{host}-worker"),
    )


def revive(cluster):
    cluster.order("start", "b")
    wait_for(cluster.worker_serves, timeout_s=120, message="host b is back")


def test_other_host_finishes_what_a_killed_one_had_accepted(cluster):
    organization = cluster.organization()
    mark = f"killed host {cluster.is_plain}"
    urls = list(cluster.base_urls().values())
    crowds = [Crowd(Turns(urls)), Crowd(Turns(urls[::-1]))]
    calls = mixed_calls(organization, 20 * PER_SECOND, mark, delay_s=4)
    for call in calls:
        call.read_timeout_s = READ_TIMEOUT_S

    def send():
        for number, call in enumerate(calls):
            # Neighbors differ in model, pairs in host.
            crowds[number // 2 % 2].send(call)
            time.sleep(1 / PER_SECOND)

    load = threading.Thread(target=send)
    load.start()
    time.sleep(8)
    wait_for(lambda: running_on(cluster, "b"), timeout_s=30, message="host b has work")
    cluster.order("kill", "b")
    killed_at = time.monotonic()
    assert "dead already" in cluster.order("kill", "b")
    load.join()
    for crowd in crowds:
        crowd.join()
    answered_s = max(attempt.ended_s for call in calls for attempt in call.tries) - killed_at
    audit(cluster, organization, calls)
    [row] = cluster.rows(
        "SELECT count(*) AS count, sum(recoveries)::int AS recovered FROM gateway_generation"
        " WHERE organization_id = %s",
        organization.id,
    )
    cut = sum(call.tries[0].status is None for call in calls)
    print(
        f"{len(calls)} calls, {cut} cut, {row['count']} generations, {row['recovered']} recovered;"
        f" the last answer {answered_s:.0f} s after the kill"
    )
    assert row["recovered"], "host b had nothing in its hands"
    assert cut, "no connection was cut"
    revive(cluster)


def cpu_ms(cluster, hosts):
    """Return what the workers of hosts have used so far."""
    return sum(usage(cluster.pid(f"{host}-worker")).cpu_ms for host in hosts)


def finish_together(cluster, organization, mark, *, hosts, count, delay_s):
    """Send calls at once; return how long all took, and the workers' CPU in ms for each."""
    before_ms = cpu_ms(cluster, hosts)
    time.sleep(IDLE_S)
    idle_ms = (cpu_ms(cluster, hosts) - before_ms) / IDLE_S
    before_ms, began_s = cpu_ms(cluster, hosts), time.monotonic()
    crowd = Crowd(Turns([cluster.base_url]))
    for number in range(count):
        prompt = f"{mark} {number} <delay={delay_s}>"
        crowd.send(Call(organization, model=OPENAI, prompt=prompt))
    calls = crowd.join(timeout_s=300)
    took_s = time.monotonic() - began_s
    used_ms = cpu_ms(cluster, hosts) - before_ms - idle_ms * took_s
    audit(cluster, organization, calls)
    return took_s, used_ms / count


def test_two_workers_finish_twice_as_much_as_one(cluster):
    # Two rounds of one worker, within the deadline of a minute.
    count, delay_s = 2 * SLOTS, 24
    first, together, alone = cluster.organizations("1000", "1000", "1000")
    mark = "plain" if cluster.is_plain else "namespaces"
    # The first ones of a worker cost more.
    finish_together(cluster, first, f"first {mark}", hosts="ab", count=SLOTS, delay_s=2)
    both_s, both_ms = finish_together(
        cluster, together, f"both {mark}", hosts="ab", count=count, delay_s=delay_s
    )
    cluster.order("kill", "b")
    one_s, one_ms = finish_together(
        cluster, alone, f"one {mark}", hosts="a", count=count, delay_s=delay_s
    )
    revive(cluster)
    print(
        f"{count} requests of {delay_s} s: {one_s:.1f} s with one worker ({one_ms:.1f} ms CPU"
        f" each), {both_s:.1f} s with two ({both_ms:.1f} ms)"
    )
    assert one_s / both_s >= LEAST_GAIN


def test_make_restart_reaches_the_cluster(cluster):
    before = cluster.pid("a-sweeper")
    done = subprocess.run(
        [sys.executable, "-m", "embedded", "restart", "a-sweeper"],
        cwd=ROOT,
        env={**without_settings(os.environ), "LIENZO_VAR": str(cluster.var.parent)},
        check=False,
        capture_output=True,
        text=True,
        timeout=200,
    )
    assert done.returncode == 0, done.stderr
    assert cluster.pid("a-sweeper") != before


def test_rolling_restart_of_both_hosts_fails_no_request(cluster):
    organization = cluster.organization()
    urls = list(cluster.base_urls().values())
    crowds = [Crowd(Turns([url])) for url in urls]
    is_over = threading.Event()
    mark = f"rolling hosts {cluster.is_plain}"
    calls = mixed_calls(organization, 2000, mark, delay_s=0.5)
    sent: list[Call] = []

    def send():
        for call in calls:
            if is_over.is_set():
                return
            call.retries = False
            sent.append(crowds[len(sent) // 2 % 2].send(call))
            time.sleep(1 / PER_SECOND)

    load = threading.Thread(target=send)
    load.start()
    print(cluster.order("restart"))
    is_over.set()
    load.join()
    for crowd in crowds:
        crowd.join()
    audit(cluster, organization, sent)
    assert len(cluster.upstream.calls(mark)) == len(sent)
