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
from tests.faults.stack import ROOT

pytestmark = [
    pytest.mark.xdist_group("supervisor"),
    pytest.mark.big,
    # A worker that has much to finish takes its time.
    pytest.mark.timeout(900),
]
PER_SECOND = float(os.environ.get("ROLLING_PER_SECOND", "20"))
PROCESSES = ["web", "worker", "sweeper", "dispatcher", "beat"]


def restart(machine, *names):
    done = subprocess.run(
        [sys.executable, "-m", "embedded", "restart", *names],
        cwd=ROOT,
        env={**without_settings(os.environ), "LIENZO_VAR": str(machine.var)},
        check=False,
        capture_output=True,
        text=True,
        timeout=500,
    )
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
