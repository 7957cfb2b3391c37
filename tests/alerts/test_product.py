"""Alerts on a whole product under its supervisor, whose processes and engines stand still."""

import json
import re
from collections.abc import Iterator

import pytest
import requests

from tests.alerts.timeline import Alert, Scrape, State, alert, assert_fires
from tests.faults.stack import Stack, shared_stack, wait_for

pytestmark = [pytest.mark.big, pytest.mark.xdist_group("supervisor")]
# Longer than a hub is given, and than the gauges of the platform count.
SCRAPE_TIMEOUT_S = 15
STALE_AFTER_S = 45
GONE = {
    "web": "NoWeb",
    "worker": "NoWorker",
    "sweeper": "NoSweeper",
    "dispatcher": "NoDispatcher",
    "beat": "NoBeat",
}
NOBODY = re.compile(r"^lienzo_processes\{.*\} 0\.0$|^lienzo_tasks_age_seconds \+Inf$", re.MULTILINE)
ENGINES = {
    "postgres": ("DatabaseDown", "lienzo_database_up"),
    "valkey": ("BrokerDown", "lienzo_broker_up"),
    "seaweedfs": ("StorageDown", "lienzo_storage_up"),
}


@pytest.fixture(scope="module")
def machine() -> Iterator[Stack]:
    """A product with all its processes."""
    shared = shared_stack()
    yield shared
    shared.close()


def scrape(machine: Stack) -> State:
    """Ask every target that `make run` lists, as Prometheus does."""
    listed = json.loads((machine.var / "run" / "metrics.json").read_text())
    return [
        Scrape(entry["labels"]["process"], answer(target), target)
        for entry in listed
        for target in entry["targets"]
    ]


def answer(target: str) -> str | None:
    try:
        found = requests.get(f"http://{target}/metrics", timeout=SCRAPE_TIMEOUT_S)
    except requests.RequestException:
        return None
    return found.text if found.ok else None


def healthy(machine: Stack) -> State:
    """Wait until the sweeper has read all it shows, and return what all answer."""

    def look() -> State | None:
        state = scrape(machine)
        texts = [one.text or "" for one in state]
        seen = "\n".join(texts)
        up = all(f"{name} 1.0" in seen for _, name in ENGINES.values())
        return state if up and all(texts) and not NOBODY.search(seen) else None

    found = wait_for(look, timeout_s=120, message="all processes answer")
    assert found is not None
    return found


def down(process: str, state: State) -> Alert:
    (instance,) = (one.instance for one in state if one.process == process)
    return alert("TargetDown", job="lienzo", process=process, instance=instance)


@pytest.mark.parametrize("process", GONE)
def test_a_process_that_stands_still_is_told_of(machine: Stack, process: str):
    before = healthy(machine)
    with machine.frozen(process):
        then = scrape(machine)

    named = {one.process for one in then if one.text is None}
    assert named == {process}
    assert_fires(alert(GONE[process]), down(process, before), healthy=before, then=then, after=12)


@pytest.mark.parametrize("engine", ENGINES)
def test_an_engine_that_stands_still_is_told_of(machine: Stack, engine: str):
    name, metric = ENGINES[engine]
    before = healthy(machine)
    with machine.frozen(engine):
        then = wait_for(
            lambda: (
                (state := scrape(machine))
                and any(f"{metric} 0.0" in (one.text or "") for one in state)
                and state
            ),
            timeout_s=STALE_AFTER_S,
            message=f"{metric} is 0",
        )

    assert then
    assert_fires(alert(name), healthy=before, then=then, after=4)
