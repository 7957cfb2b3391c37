"""Every process is restarted, one after another, while a client that never retries goes on."""

import os
import statistics
import subprocess
import sys

import pytest

from embedded.environment import without_settings
from tests.faults.audit import audit
from tests.faults.clients import FAL, OPENAI, Call, Try
from tests.faults.pacing import Job, PaceProcess
from tests.faults.stack import ROOT, wait_for

pytestmark = [
    pytest.mark.xdist_group("supervisor"),
    pytest.mark.big,
    # A worker that has much to finish takes its time.
    pytest.mark.timeout(900),
]
PER_SECOND = float(os.environ.get("ROLLING_PER_SECOND", "20"))
PROCESSES = ["web", "worker", "sweeper", "dispatcher", "beat"]


def order(var, *names, **settings):
    return subprocess.run(
        [sys.executable, "-m", "embedded", "restart", *names],
        cwd=ROOT,
        env={**without_settings(os.environ), "LIENZO_VAR": str(var), **settings},
        check=False,
        capture_output=True,
        text=True,
        timeout=500,
    )


def restart(machine, *names):
    done = order(machine.var, *names)
    assert done.returncode == 0, done.stderr
    return done.stdout


def as_call(organization, answer):
    attempt = Try(0.0, answer["took_s"], answer["status"], error=answer["error"])
    body = answer.get("body", {})
    return Call(organization, answer["model"], answer["prompt"], tries=[attempt], body=body)


def test_rolling_restart_of_every_process_fails_no_request(machine):
    organization = machine.organization("100000")
    before = {name: machine.pid(name) for name in [*PROCESSES, "valkey"]}
    job = Job(
        host="127.0.0.1",
        port=machine.port,
        key=organization.key,
        models=[OPENAI, FAL],
        mark="rolling",
        delay_s=0.2,
        per_second=PER_SECOND,
    )
    client = PaceProcess(job)
    said = restart(machine)
    restart(machine, "valkey")
    answers, pace = client.finish()
    took_s = sorted(answer["took_s"] for answer in answers)
    p50, p99 = statistics.median(took_s), took_s[len(took_s) * 99 // 100]
    print(f"{said}{len(answers)} requests at {pace:.1f}/s, p50 {p50:.2f} s, p99 {p99:.2f} s")

    assert [answer for answer in answers if answer["status"] != 200] == []
    assert {name for name in before if machine.pid(name) == before[name]} == set()
    calls = [as_call(organization, answer) for answer in answers]
    audit(machine, organization, calls)
    assert len(machine.upstream.calls("rolling ")) == len(calls)


def test_restart_does_not_pass_over_new_settings(machine):
    before = machine.pid("sweeper")
    done = order(machine.var, "sweeper", FAL_API_KEY="fal-id:new")
    assert done.returncode == 1
    assert "FAL_API_KEY: not what Lienzo was started with" in done.stderr
    assert machine.pid("sweeper") == before

    done = order(machine.var, "sweeper", FAL_API_KEY="fal-id:fal-secret")
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("Settings stay those of the start: DATABASE_POOL_SIZE, FAL_")
    assert machine.pid("sweeper") != before


def test_killed_web_leaves_no_numbers_behind(machine):
    def folders():
        return {*(machine.var / "run").glob("lienzo-metrics-*")}

    [before] = folders()
    machine.kill("web")
    wait_for(lambda: folders() - {before}, timeout_s=60, message="web is there again")
    assert before not in folders()
    assert len(folders()) == 1
