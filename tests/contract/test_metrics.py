"""What the processes of a running product show on ports of their own, and what the page says."""

import os
import re
import signal

import pytest
import requests
from prometheus_client import Metric
from prometheus_client.parser import text_string_to_metric_families

from embedded.children import Child
from embedded.ports import accepts_connections
from embedded.processes import process_table
from gateway.services.operations.gauges import FAMILIES
from tests.architecture.tree import DOCS, table_rows
from tests.stack import Stack, wait_until
from tests.tenants import GENERATIONS, MODEL, Tenant, new_prompt

# Beat is not part of the tests' product.
PROCESSES = ("web", "worker", "sweeper", "dispatcher")
# Of what a test's product has none: backups, checks of the ledger, published rates, and traces.
UNSEEN = {
    "lienzo_backup_age_seconds",
    "lienzo_ledger_check_age_seconds",
    "lienzo_fx_rate_age_seconds",
    "lienzo_spans_lost",
}
REFUSAL = {"error": {"code": "content_policy_violation", "message": "No.", "type": "x"}}


def ask(stack: Stack, process: str, path: str) -> requests.Response:
    return requests.get(f"http://127.0.0.1:{stack.metrics_ports[process]}{path}", timeout=20)


class Shown:
    """The metrics of a process at one moment."""

    def __init__(self, stack: Stack, process: str) -> None:
        self.text = ask(stack, process, "/metrics").text
        self.families = {one.name: one for one in text_string_to_metric_families(self.text)}

    def of(self, sample: str, **labels: str) -> float:
        """Return the sum of the samples of a name that have these labels."""
        return sum(
            one.value
            for family in self.families.values()
            for one in family.samples
            if one.name == sample and labels.items() <= one.labels.items()
        )


def grown(before: Shown, after: Shown, sample: str, **labels: str) -> float:
    return after.of(sample, **labels) - before.of(sample, **labels)


@pytest.fixture
def counted(stack: Stack, tenant: Tenant) -> dict[str, tuple[Shown, Shown]]:
    """What web and worker showed before and after two generations, and a refused request."""
    before = {name: Shown(stack, name) for name in ("web", "worker")}
    prompt = new_prompt()
    for _ in range(2):
        assert tenant.generate(prompt).status_code == 200
    refused = new_prompt()
    stack.upstream.rule(refused, status=400, body=REFUSAL)
    assert tenant.generate(refused).json()["error"]["code"] == REFUSAL["error"]["code"]
    assert tenant.generate(prompt, size="3x4").json()["error"]["code"] == "invalid_value"
    assert tenant.get("/v1/nothing").status_code == 404

    def is_counted() -> dict[str, tuple[Shown, Shown]] | None:
        after = {name: (before[name], Shown(stack, name)) for name in before}
        ended = grown(*after["web"], "lienzo_request_duration_seconds_count", route=GENERATIONS)
        settled = grown(*after["worker"], "lienzo_images_total")
        return after if (ended, settled) == (4, 3) else None

    found: dict[str, tuple[Shown, Shown]] = wait_until(is_counted, "everything is counted")
    return found


def test_every_process_lives_and_serves(stack: Stack):
    for process in PROCESSES:
        for path in ("/livez", "/readyz"):
            answer = ask(stack, process, path)
            assert (answer.status_code, answer.text) == (200, "ok\n"), (process, path)


def test_public_port_shows_nothing_of_it(stack: Stack):
    for path in ("/metrics", "/livez"):
        assert requests.get(f"{stack.url}{path}", timeout=10).status_code == 404


def test_web_counts_requests_and_errors_of_all_its_processes(counted):
    before, after = counted["web"]

    def requests_of(route: str, **labels: str) -> float:
        return grown(before, after, "lienzo_requests_total", route=route, **labels)

    assert requests_of(GENERATIONS, method="POST", status="200") == 2
    assert requests_of(GENERATIONS, method="POST", status="400") == 2
    assert requests_of("none", method="GET", status="404") == 1
    for code in ("content_policy_violation", "invalid_value", "not_found"):
        assert grown(before, after, "lienzo_errors_total", code=code) == 1
    took_s = grown(before, after, "lienzo_request_duration_seconds_sum", route=GENERATIONS)
    assert 0.02 < took_s < 60
    assert after.of("lienzo_waiting_requests") == 0
    assert after.of("process_resident_memory_bytes") > 3e8


def test_worker_counts_stages_attempts_images_and_cost(counted):
    before, after = counted["worker"]
    openai = {"provider": "openai"}

    def counted_of(sample: str, **labels: str) -> float:
        return grown(before, after, sample, **openai, **labels)

    stages = {"queued": 3, "call": 3, "check": 2, "store": 2, "settle": 2}
    for stage, count in stages.items():
        assert counted_of("lienzo_stage_duration_seconds_count", stage=stage) == count, stage
        assert 0 < counted_of("lienzo_stage_duration_seconds_sum", stage=stage) < 60
    assert counted_of("lienzo_attempts_total", outcome="succeeded") == 2
    assert counted_of("lienzo_attempts_total", outcome="refused") == 1
    assert counted_of("lienzo_images_total", outcome="delivered") == 2
    assert counted_of("lienzo_images_total", outcome="moderated") == 1
    assert counted_of("lienzo_attempt_cost_micros_total", currency="USD") > 0
    assert after.of("lienzo_slots", **openai) > 1
    assert after.of("lienzo_slots_busy") == 0


def test_sweeper_shows_the_platform(stack: Stack, tenant: Tenant):
    prompt = new_prompt()
    stack.upstream.rule(prompt, hold=True)
    sent = tenant.send_only(prompt)
    stack.upstream.wait_for_call(prompt)

    def running() -> Shown | None:
        shown = Shown(stack, "sweeper")
        return shown if shown.of("lienzo_running", provider="openai") else None

    try:
        shown = wait_until(running, "the sweeper has read that it runs", every_s=0.5)
        waiting = Shown(stack, "web").of("lienzo_waiting_requests")
        busy = Shown(stack, "worker").of("lienzo_slots_busy", provider="openai")
    finally:
        stack.upstream.release(prompt)
        sent.close()

    assert (waiting, busy) == (1, 1)
    assert shown.of("lienzo_open_holds") >= 1
    assert shown.of("lienzo_processes", kind="web") == 2
    assert shown.of("lienzo_overdue_holds") == 0
    assert shown.of("lienzo_sweeper_pass_age_seconds") < 60
    for name in ("database", "broker", "storage"):
        assert shown.of(f"lienzo_{name}_up") == 1, name


def test_page_describes_what_is_shown(stack: Stack, counted):
    shown: dict[str, tuple[str, set[str]]] = {}
    for process in PROCESSES:
        for family in own(Shown(stack, process)):
            kind, labels = shown.setdefault(family.name, (family.type, set()))
            assert kind == family.type
            labels.update(*(one.labels for one in family.samples))
    documented = {
        name.removesuffix("_total"): (kind, set(re.findall(r"\w+", labels)))
        for row in table_rows(DOCS / "metrics.md")
        if row[0].startswith("`lienzo_")
        for name, kind, labels in [(row[0].strip("`"), row[1], row[2])]
    }

    assert FAMILIES.keys() <= documented.keys()
    assert documented.keys() - shown.keys() <= UNSEEN
    assert shown.keys() - documented.keys() == set()
    for name, (kind, labels) in shown.items():
        assert documented[name][0] == kind, name
        # One without rows has no labels to show.
        assert labels - {"le"} in (documented[name][1], set()), name


def own(shown: Shown) -> list[Metric]:
    return [one for name, one in shown.families.items() if name.startswith("lienzo_")]


def test_nothing_tells_of_prompts_keys_or_organizations(stack: Stack, tenant: Tenant):
    prompt = new_prompt("secretive")
    tenant.generate(prompt, user="somebody@example.com")
    tenant.get(f"/v1/images/generations/{tenant.organization_id}")
    tenant.request("POST", "/v1/models/secretive-model", json={})
    secrets = (prompt.split()[-1], "secretive", "somebody", tenant.key, tenant.key[11:20])

    for process in PROCESSES:
        text = Shown(stack, process).text
        assert MODEL not in text
        for word in (*secrets, str(tenant.organization_id), tenant.organization_id.hex):
            assert word not in text, process


@pytest.mark.big
def test_beat_lives_and_sends(stack: Stack):
    table = process_table(
        stack.environment, web_socket=0, sandbox_port=None, metrics_ports=stack.metrics_ports
    )
    [spec] = [spec for spec, _ in table if spec.name == "beat"]
    beat = Child(spec, stack._folders)
    try:
        wait_until(
            lambda: accepts_connections(stack.metrics_ports["beat"]), "it has started", timeout_s=60
        )
        for path in ("/livez", "/readyz"):
            assert ask(stack, "beat", path).status_code == 200
        assert Shown(stack, "beat").of("lienzo_build_info") == 1
    finally:
        beat.finish()


@pytest.mark.big
def test_web_lives_while_one_of_its_processes_moves(stack: Stack):
    first, second = stack.process_ids("web").values()
    for pid in (first, second):
        os.kill(pid, signal.SIGSTOP)
    try:
        assert ask(stack, "web", "/readyz").status_code == 503
        assert ask(stack, "web", "/livez").status_code == 200
        wait_until(
            lambda: ask(stack, "web", "/livez").status_code == 503, "both are stuck", timeout_s=45
        )
        os.kill(first, signal.SIGCONT)
        wait_until(lambda: ask(stack, "web", "/livez").status_code == 200, "one moves again")
    finally:
        for pid in (first, second):
            os.kill(pid, signal.SIGCONT)
    wait_until(lambda: ask(stack, "web", "/readyz").status_code == 200, "requests are answered")
